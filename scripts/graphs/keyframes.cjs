// The same video between two keyframes: of a Stable Diffusion graph, and without a model.

const { graph, seedance, picture, save } = require('./parts.cjs')

// The checkpoint of ComfyUI's own first graph. The page offers to download it where it is missing.
const CHECKPOINT = {
  name: 'v1-5-pruned-emaonly-fp16.safetensors',
  url: 'https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/'
    + 'v1-5-pruned-emaonly-fp16.safetensors?download=true',
  directory: 'checkpoints',
}

const video = (x) => [
  seedance('video', 'SeedanceFrames', [x, 0], [400, 960], {
    prompt: 'The sun sets and night falls over the hill with the windmill. Birds fall silent, '
      + 'crickets begin to chirp.',
    resolution: '480p', ratio: '16:9',
  }),
  save([x + 460, 0], [440, 390], 'keyframes'),
]
const VIDEO_LINKS = [['video', 'video', 'save', 'video']]

const SIZE = { width: 768, height: 432 }
const text = (name, pos, title, words) => ({
  name, type: 'CLIPTextEncode', title, pos, size: [360, 150], widgets: { text: words },
})
const sampler = (name, pos, title) => ({
  name, type: 'KSampler', title, pos, size: [300, 262],
  widgets: { seed: 7, 'control_after_generate': 'fixed', steps: 25, cfg: 7, denoise: 1 },
})
const decode = (name, pos, title) => ({ name, type: 'VAEDecode', title, pos, size: [300, 46] })
const MILL = 'flat drawing of a white windmill with a red roof on a green hill, a path to its door'

module.exports = {
  sd_keyframes_to_video: graph(
    '# Keyframes from Stable Diffusion\n\nA checkpoint draws the first and the last frame, with one '
    + 'seed for both so that they match; Seedance makes the video between them.\n\n'
    + '**Choose a checkpoint in *Load Checkpoint* first**, the only thing that is not set: '
    + `\`${CHECKPOINT.name}\` (ComfyUI offers to download it), or any other of Stable Diffusion 1.5 `
    + 'in `models/checkpoints`. With one of SDXL, set *Empty Latent Image* to 1344 × 768. No '
    + 'checkpoint at hand? The template *keyframes_to_video* is the same without one.', 2100, 215,
    [
      {
        name: 'model', type: 'CheckpointLoaderSimple', pos: [0, 0], size: [360, 100],
        widgets: { ckpt_name: CHECKPOINT.name }, properties: { models: [CHECKPOINT] },
      },
      { name: 'size', type: 'EmptyLatentImage', pos: [0, 170], size: [360, 106], widgets: SIZE },
      text('day', [420, 0], 'First frame', `${MILL}, bright day, blue sky, white clouds`),
      text('night', [420, 220], 'Last frame', `${MILL}, night, dark blue sky, moon and stars`),
      text('not', [420, 440], 'In neither', 'text, watermark, blurry'),
      sampler('draw_day', [840, 0], 'Draw the first frame'),
      decode('first', [840, 320], 'First frame'),
      sampler('draw_night', [840, 440], 'Draw the last frame'),
      decode('last', [840, 760], 'Last frame'),
      ...video(1200),
    ],
    [
      ...['day', 'night', 'not'].map((name) => ['model', 'CLIP', name, 'clip']),
      ...['day', 'night'].flatMap((name) => [
        ['model', 'MODEL', `draw_${name}`, 'model'],
        [name, 'CONDITIONING', `draw_${name}`, 'positive'],
        ['not', 'CONDITIONING', `draw_${name}`, 'negative'],
        ['size', 'LATENT', `draw_${name}`, 'latent_image'],
      ]),
      ['draw_day', 'LATENT', 'first', 'samples'],
      ['draw_night', 'LATENT', 'last', 'samples'],
      ['model', 'VAE', 'first', 'vae'],
      ['model', 'VAE', 'last', 'vae'],
      ['first', 'IMAGE', 'video', 'first_frame'],
      ['last', 'IMAGE', 'video', 'last_frame'],
      ...VIDEO_LINKS,
    ],
  ),
  keyframes_to_video: graph(
    '# Keyframes from pictures\n\nThe template *sd_keyframes_to_video* without its model: the first '
    + 'and the last frame are pictures that you load. Use whatever pictures you have, of any size: '
    + 'both are cut to the exact size of the video, so that it neither jumps nor stretches.', 1280,
    180,
    [
      picture('first', [0, 0], 'First frame'),
      picture('last', [0, 350], 'Last frame', 'windmill_night'),
      ...video(380),
    ],
    [
      ['first', 'IMAGE', 'video', 'first_frame'],
      ['last', 'IMAGE', 'video', 'last_frame'],
      ...VIDEO_LINKS,
    ],
  ),
}
