// Four drafts of which one becomes the final; and a clip that goes on, joined to its new part.

const { graph, seedance, save } = require('./parts.cjs')

const DRAFTS = [1, 2, 3, 4]
const DRAFT = { draft: true, model: 'seedance-2.5', duration: 4 }

module.exports = {
  draft_to_final: graph(
    '# Four drafts, one final\n\nWith **draft** on, each node makes a 480p draft at the price of 480p. '
    + 'Look at the four, then connect the output **task** of the best to *Seedance Finish Draft*: it '
    + 'makes the final video of that draft, in 1080p, with the same prompt, media, seed and length. Nothing is '
    + 'uploaded again, and the same final is paid once. BytePlus, Volcano Engine, EvoLink and fal '
    + 'have drafts of Seedance 2.5; they can be finished for 7 days.\n\nTo look before you pay, bypass '
    + 'the node on the right (Ctrl-B) until you have chosen.', 2110, 200,
    [
      ...DRAFTS.map((number) => seedance(
        `draft${number}`, 'SeedanceT2V',
        [400 * (number - 1), 0], [360, 910],
        {
          prompt: 'A paper boat sails down a rainy street, past boots and bicycles. Rain, far-off bells.',
          ...DRAFT, seed: number,
        }, `Draft ${number}`,
      )),
      // Without a node after it, a draft would not run.
      ...DRAFTS.map((number) => ({
        name: `ticket${number}`, type: 'PreviewAny', title: `Its ticket`,
        pos: [400 * (number - 1), 1330], size: [360, 140],
      })),
      seedance('final', 'SeedanceFinal', [1720, 0], [400, 620], {}, 'The final of draft 1'),
      save([1720, 690], [480, 420], 'final'),
    ],
    [
      ...DRAFTS.map((number) => [`draft${number}`, 'task', `ticket${number}`, 'source']),
      ['draft1', 'task', 'final', 'draft'],
      ['final', 'video', 'save', 'video'],
    ],
  ),

  extend_and_join: graph(
    '# A clip and what comes after it\n\nWith the operation **extend**, *Seedance Video to Video* gives the new '
    + 'part alone. ComfyUI\'s own nodes join it to the clip, pictures and sound. Use the resolution of '
    + 'the clip, so that both have the same size.', 1590, 180,
    [
      seedance('clip', 'SeedanceT2V', [0, 0], [360, 910], {
        prompt: 'A hot-air balloon rises from a meadow at dawn. The burner roars softly.',
        resolution: '480p', duration: 4,
      }, 'The clip'),
      seedance('new', 'SeedanceV2V', [410, 0], [360, 1040], {
        prompt: 'The balloon drifts over a lake and its mirror image. Birds call.',
        operation: 'extend', resolution: '480p', duration: 4,
      }, 'What comes after it'),
      { name: 'frames', type: 'BatchImagesNode', title: 'All frames', pos: [820, 0], size: [320, 90] },
      { name: 'sound', type: 'AudioConcat', title: 'Both sounds', pos: [820, 150], size: [320, 78] },
      { name: 'join', type: 'CreateVideo', pos: [820, 290], size: [320, 90] },
      save([820, 440], [480, 420], 'extended'),
    ],
    [
      ['clip', 'video', 'new', 'video'],
      ['clip', 'frames', 'frames', 'images.image0'],
      ['new', 'frames', 'frames', 'images.image1'],
      ['clip', 'audio', 'sound', 'audio1'],
      ['new', 'audio', 'sound', 'audio2'],
      ['frames', 'IMAGE', 'join', 'images'],
      ['sound', 'AUDIO', 'join', 'audio'],
      ['clip', 'fps', 'join', 'fps'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  ),
}
