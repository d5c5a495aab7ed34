// The blueprints of subgraphs/, by the name that the page shows.
//
// `around` are nodes that stay outside and only lend their links: where a link crosses, the blueprint
// has a socket, which `sockets` names. `widgets` are those that it shows of the nodes inside.

const SHOT = { provider: 'preview', resolution: '480p', duration: 4 }

module.exports = {
  'Seedance Next Shot': {
    description: 'The next shot of a film: it begins on the last frame so far, and is joined to the '
      + 'frames and the sound so far, without showing the frame where they meet twice. Put any '
      + 'number in a row, then Create Video. All frames are held in memory.',
    aliases: ['continue shot', 'extend video', 'chain shots', 'join clips'],
    around: ['before', 'after', 'ticket'],
    nodes: [
      { name: 'before', type: 'SeedanceT2V', pos: [-500, 0], widgets: SHOT },
      { name: 'shot', type: 'SeedanceI2V', pos: [0, 0], size: [400, 860], widgets: SHOT },
      {
        name: 'skip', type: 'ImageFromBatch', title: 'Without its first frame', pos: [460, 0],
        size: [320, 82], widgets: { batch_index: 1, length: 4096 },
      },
      {
        name: 'mute', type: 'TrimAudioDuration', title: 'As much less of its sound',
        pos: [460, 140], size: [320, 82], widgets: { start_index: 0.04, duration: 60 },
      },
      { name: 'frames', type: 'BatchImagesNode', pos: [840, 0], size: [260, 90] },
      { name: 'sound', type: 'AudioConcat', pos: [840, 150], size: [260, 80] },
      { name: 'after', type: 'CreateVideo', pos: [1300, 0] },
      { name: 'ticket', type: 'PreviewAny', pos: [1300, 200] },
    ],
    links: [
      ['before', 'last_frame', 'shot', 'image'],
      ['before', 'frames', 'frames', 'images.image0'],
      ['before', 'audio', 'sound', 'audio1'],
      ['shot', 'frames', 'skip', 'image'],
      ['skip', 'IMAGE', 'frames', 'images.image1'],
      ['shot', 'audio', 'mute', 'audio'],
      ['mute', 'AUDIO', 'sound', 'audio2'],
      ['frames', 'IMAGE', 'after', 'images'],
      ['sound', 'AUDIO', 'after', 'audio'],
      ['shot', 'fps', 'after', 'fps'],
      ['shot', 'last_frame', 'ticket', 'source'],
    ],
    sockets: {
      image: 'last_frame', 'images.image0': 'frames', audio1: 'audio',
      IMAGE: 'frames', AUDIO: 'audio',
    },
    widgets: { shot: ['prompt', 'provider', 'model', 'resolution', 'duration', 'seed'] },
  },
}
