// What ComfyUI's own nodes make of a finished video: larger, and smoother.

const { graph, seedance, save } = require('./parts.cjs')

const SHORT = { resolution: '480p', duration: 4 }
const join = (pos, widgets = {}) => ({
  name: 'join', type: 'CreateVideo', pos, size: [320, 90], widgets,
})

module.exports = {
  upscale_and_save: graph(
    '# Larger, with ComfyUI\'s own nodes\n\nThe frames of a 480p video are made one and a half times '
    + 'as large, and joined with its sound again. With a model in `models/upscale_models`, put *Load '
    + 'Upscale Model* and *Upscale Image (using Model)* in the place of *Upscale Image By*: that '
    + 'draws details, and takes longer. All frames are held in memory.', 1360, 190,
    [
      seedance('video', 'SeedanceT2V', [0, 0], [400], {
        prompt: 'A kingfisher dives into a clear brook and comes up with a fish. Water splashes.',
        ...SHORT,
      }),
      {
        name: 'larger', type: 'ImageScaleBy', title: 'Larger', pos: [460, 0], size: [320, 90],
        widgets: { upscale_method: 'lanczos', scale_by: 1.5 },
      },
      join([460, 170]),
      save([860, 0], [500, 460], 'upscaled'),
    ],
    [
      ['video', 'frames', 'larger', 'image'],
      ['larger', 'IMAGE', 'join', 'images'],
      ['video', 'audio', 'join', 'audio'],
      ['video', 'fps', 'join', 'fps'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  ),

  'newer/smooth_motion': graph(
    '# Smoother, with ComfyUI\'s own nodes\n\nA model draws a frame between each two, so that the 24 '
    + 'frames of a second become 48. It is the only thing that is not set: choose it in *Load Frame '
    + 'Interpolation Model* (ComfyUI offers to download it, 70 MB). For slow motion, set **fps** of '
    + '*Create Video* to 24 and leave out the sound.', 1420, 190,
    [
      seedance('video', 'SeedanceT2V', [0, 0], [400], {
        prompt: 'A dancer in a red dress whirls across an empty stage. A cello plays.', ...SHORT,
      }),
      {
        name: 'model', type: 'FrameInterpolationModelLoader', pos: [460, 0], size: [360, 70],
        widgets: { model_name: 'film_net_fp16.safetensors' },
        properties: {
          models: [{
            name: 'film_net_fp16.safetensors',
            url: 'https://huggingface.co/Comfy-Org/frame_interpolation/resolve/main/'
              + 'frame_interpolation/film_net_fp16.safetensors',
            directory: 'frame_interpolation',
          }],
        },
      },
      {
        name: 'between', type: 'FrameInterpolate', pos: [460, 150], size: [360, 90],
        widgets: { multiplier: 2 },
      },
      join([460, 320], { fps: 48 }),
      save([900, 0], [520, 470], 'smooth'),
    ],
    [
      ['model', 'INTERP_MODEL', 'between', 'interp_model'],
      ['video', 'frames', 'between', 'images'],
      ['between', 'IMAGE', 'join', 'images'],
      ['video', 'audio', 'join', 'audio'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  ),
}
