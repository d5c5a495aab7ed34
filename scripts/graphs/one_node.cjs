// An example for each node.

const { graph, seedance, picture, save } = require('./parts.cjs')

const NODE = [400, 920]

module.exports = {
  text_to_video: graph(
    '# Text to video\n\nA prompt becomes a video with sound.', 1020, 165,
    [
      seedance('video', 'SeedanceT2V', [0, 0], NODE, {
        prompt: 'A paper boat sails down a rain-filled street at dusk, past glowing shop windows. '
          + 'The camera follows it close to the water. Rain patters, a bicycle bell rings.',
      }),
      save([460, 0], [560, 450], 'text to video'),
    ],
    [['video', 'video', 'save', 'video']],
  ),

  image_to_video: graph(
    '# Image to video\n\nThe video starts exactly on the picture. With the ratio *adaptive* it has '
    + 'the shape that comes nearest to the picture.', 1320, 165,
    [
      picture('load', [0, 0]),
      seedance('video', 'SeedanceI2V', [380, 0], [400, 1080], {
        prompt: 'The sails of the windmill turn, the clouds drift by and the flowers nod in the '
          + 'wind. The camera slowly moves in.',
      }),
      save([840, 0], [480, 420], 'image to video'),
    ],
    [['load', 'IMAGE', 'video', 'image'], ['video', 'video', 'save', 'video']],
  ),

  image_to_video_app: {
    ...graph(
      '# An app\n\nThe template *image_to_video* as an app: whoever opens it sees a prompt, a '
      + 'picture and three choices, not the graph. **Graph** at the top shows this graph, **App** the '
      + 'app again.', 1320, 185,
      [
        picture('load', [0, 0]),
        seedance('video', 'SeedanceI2V', [380, 0], [400, 1080], {
          prompt: 'The sails of the windmill turn, the clouds drift by and the flowers nod in the '
            + 'wind. The camera slowly moves in.',
        }),
        save([840, 0], [480, 420], 'app'),
      ],
      [['load', 'IMAGE', 'video', 'image'], ['video', 'video', 'save', 'video']],
    ),
    // What the app shows: widgets of nodes, and the nodes whose output is seen.
    app: {
      inputs: [
        ['video', 'prompt'], ['load', 'image'], ['video', 'provider'], ['video', 'resolution'],
        ['video', 'duration'],
      ],
      outputs: ['save'],
    },
  },

  first_and_last_frame: graph(
    '# First and last frame\n\nThe video goes from one picture to the other.', 1320, 165,
    [
      picture('first', [0, 0], 'First frame'),
      picture('last', [0, 350], 'Last frame', 'windmill_night'),
      seedance('video', 'SeedanceFrames', [380, 0], [400, 1080], {
        prompt: 'Evening comes: the sun sinks, stars come out, and the windows of the mill light up. '
          + 'Its sails turn on.',
      }),
      save([840, 0], [480, 420], 'first and last frame'),
    ],
    [
      ['first', 'IMAGE', 'video', 'first_frame'],
      ['last', 'IMAGE', 'video', 'last_frame'],
      ['video', 'video', 'save', 'video'],
    ],
  ),

  references: graph(
    '# References\n\nPictures, clips and sounds that the video takes persons, things, movements or '
    + 'voices from. Name them in the prompt: `@Image1`, `@Video1`, `@Audio1`. Each socket that is '
    + 'connected makes room for the next.', 1320, 165,
    [
      picture('balloon', [0, 0], 'A thing', 'balloon'),
      picture('hill', [0, 350], 'A place'),
      seedance('video', 'SeedanceReference', [380, 0], [400, 1120], {
        prompt: 'The balloon of @Image1 drifts over the hill of @Image2, past the turning sails of '
          + 'the windmill. Its burner roars softly.',
      }),
      save([840, 0], [480, 420], 'references'),
    ],
    [
      ['balloon', 'IMAGE', 'video', 'images.image_1'],
      ['hill', 'IMAGE', 'video', 'images.image_2'],
      ['video', 'video', 'save', 'video'],
    ],
  ),

  video_to_video: graph(
    '# Video to video\n\nA clip is edited as the prompt says (**operation** *edit*), or goes on '
    + 'where it ended (*extend*). Here the clip is made in the graph; for one of yours, put '
    + '**Load Video** in the place of the first node. **keep_audio** keeps its sound.\n\n'
    + 'Not every provider can do this: right-click the node, *Compare providers*.', 1400, 200,
    [
      seedance('clip', 'SeedanceT2V', [0, 0], NODE, {
        prompt: 'A red tram crosses a bridge on a bright summer morning. The camera pans with it.',
        resolution: '480p', duration: 4,
      }, 'A clip to edit'),
      seedance('video', 'SeedanceV2V', [460, 0], [400, 1000], {
        prompt: 'The same tram and the same camera, but on a winter night: snow falls, the windows '
          + 'of the tram shine warm.',
        resolution: '480p', duration: 4,
      }),
      save([920, 0], [480, 410], 'video to video'),
    ],
    [['clip', 'video', 'video', 'video'], ['video', 'video', 'save', 'video']],
  ),

  collect_task: graph(
    '# Collect a task\n\nEach order that a provider accepts has a ticket: the output **task**. With '
    + 'it, *Seedance Collect Task* gives the video again and never pays again: after a time-out, in '
    + 'another graph, or on another machine with the same key. Here it gets the ticket from the '
    + 'node on its left; in a graph of yours, paste the ticket that the error message, the sidebar '
    + '*Seedance* or `seedance tasks` shows.', 1400, 185,
    [
      seedance('video', 'SeedanceT2V', [0, 0], NODE, {
        prompt: 'A lighthouse keeper climbs the winding stairs with a lantern. Wind howls outside.',
        resolution: '480p', duration: 4,
      }, 'Made and paid once'),
      {
        name: 'ticket', type: 'PreviewAny', title: 'Its ticket', pos: [460, 0], size: [400, 170],
      },
      seedance('collect', 'SeedanceTask', [460, 250], [400, 520], {}),
      save([920, 250], [480, 410], 'collect task'),
    ],
    [
      ['video', 'task', 'ticket', 'source'],
      ['video', 'task', 'collect', 'task'],
      ['collect', 'video', 'save', 'video'],
    ],
  ),
}
