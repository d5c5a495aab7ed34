// Several shots in one clip: one after another, and side by side. ComfyUI's own nodes join them.

const { graph, seedance, picture, save } = require('./parts.cjs')

const SHORT = { resolution: '480p', duration: 4 }

// A shot begins on the last frame of the one before it, and so shows that frame a second time. The
// frame is left out of the film, and as much of the sound: 1/24 s, in the hundredths of a second
// that the page lets one set.
const joint = (number, skip, mute, sound) => [
  {
    name: `skip${number}`, type: 'ImageFromBatch', title: 'Without its first frame',
    pos: skip, size: [320, 82], widgets: { batch_index: 1, length: 4096 },
  },
  {
    name: `mute${number}`, type: 'TrimAudioDuration', title: 'As much less of its sound',
    pos: mute, size: [320, 82], widgets: { start_index: 0.04, duration: 60 },
  },
  {
    name: `sound${number}`, type: 'AudioConcat', title: `Sound of shots 1 to ${number}`,
    pos: sound, size: [320, 78],
  },
]
const film = (shots, frames, join) => [
  { name: 'frames', type: 'BatchImagesNode', title: 'All frames', pos: frames, size: [320, 50 + 20 * shots] },
  { name: 'join', type: 'CreateVideo', pos: join, size: [320, 90] },
]
const filmLinks = (shots) => [
  ['shot1', 'frames', 'frames', 'images.image0'],
  ...Array.from({ length: shots - 1 }, (_, index) => index + 2).flatMap((number) => [
    [`shot${number - 1}`, 'last_frame', `shot${number}`, 'image'],
    [`shot${number}`, 'frames', `skip${number}`, 'image'],
    [`shot${number}`, 'audio', `mute${number}`, 'audio'],
    number === 2
      ? ['shot1', 'audio', 'sound2', 'audio1']
      : [`sound${number - 1}`, 'AUDIO', `sound${number}`, 'audio1'],
    [`mute${number}`, 'AUDIO', `sound${number}`, 'audio2'],
    [`skip${number}`, 'IMAGE', 'frames', `images.image${number - 1}`],
  ]),
  ['frames', 'IMAGE', 'join', 'images'],
  [`sound${shots}`, 'AUDIO', 'join', 'audio'],
  ['shot1', 'fps', 'join', 'fps'],
  ['join', 'VIDEO', 'save', 'video'],
]

const STORY = [
  'The sails of the windmill begin to turn. Wind in the grass, far-off birds.',
  'The camera glides along the path towards the door of the mill, past nodding flowers.',
  'A gust of wind: the sails turn faster, petals fly past. The wind roars for a moment.',
  'The light turns golden. The shadows of the clouds pass over the hill.',
  'The sails come to rest, and the windows light up. The music ends on a soft chord.',
]
const NINE = [
  '# meadow\n4s: The girl stands on the green hill and waves to us with both arms. Wind, far-off birds.',
  '# clouds\n4s: She turns her face up to the clouds and laughs. The camera slowly moves in.',
  '# gust\n4s: A gust of wind blows through her hair; petals fly past. The wind roars for a moment.',
  '# run\n4s: She runs down the hill with her arms spread. The camera follows at her side.',
  '# brook\n4s: She jumps over a brook; water splashes in the sun.',
  '# bridge\n4s: On a wooden bridge she stops and looks down at the fish. Soft steps on wood.',
  '# evening\n4s: The light turns golden. She closes her eyes and hums a tune.',
  '# lantern\n4s: She lights a paper lantern; its glow falls on her face. Crickets.',
  '# night\n4s: The lantern rises into the night among many others. The tune ends on a soft chord.',
]
const COLUMN = 400
const ROWS = { skip: 980, mute: 1120, sound: 1260, film: 1450 }
const column = (number, y) => [COLUMN * (number - 1), y]

module.exports = {
  two_shots_in_one_clip: graph(
    '# Two shots in one clip\n\nThe last frame of the first shot is the first frame of the second. '
    + 'It is the same to the bit each time, so that queueing again pays for neither. ComfyUI\'s own '
    + 'nodes join frames and sound, and leave out the frame that both shots show.', 1690, 180,
    [
      seedance('shot1', 'SeedanceT2V', [0, 0], [360, 900], {
        prompt: 'A red fox trots through fresh snow between birches and stops.', ...SHORT,
      }, 'Shot 1'),
      seedance('shot2', 'SeedanceI2V', [410, 0], [360, 900], {
        prompt: 'The fox pricks up its ears, leaps high and dives head first into the snow.',
        ...SHORT,
      }, 'Shot 2'),
      ...joint(2, [820, 0], [820, 140], [820, 280]),
      ...film(2, [820, 420], [820, 570]),
      save([1190, 0], [500, 460], 'two shots'),
    ],
    filmLinks(2),
  ),

  five_shots_in_one_film: graph(
    '# Five shots in one film\n\nEach shot begins on the **last_frame** of the one before it. That '
    + 'frame is read from the finished clip with the colours that a player shows, and is the same '
    + 'to the bit each time: colours do not drift from shot to shot, and to change shot 4 you pay '
    + 'for shots 4 and 5 only. Two shots that meet both show that frame; it is left out of the '
    + 'second, with its sound.\n\nJoining holds every frame in memory: about 8 GB here, for 20 s in '
    + '480p.', 1960, 210,
    [
      picture('load', [0, ROWS.skip], 'The first frame'),
      ...STORY.map((prompt, index) => seedance(
        `shot${index + 1}`, 'SeedanceI2V', column(index + 1, 0), [360, 890],
        { prompt, ...SHORT, ...(index ? {} : { ratio: '16:9' }) }, `Shot ${index + 1}`,
      )),
      ...[2, 3, 4, 5].flatMap((number) => joint(
        number, column(number, ROWS.skip), column(number, ROWS.mute), column(number, ROWS.sound),
      )),
      ...film(5, column(1, ROWS.film), column(2, ROWS.film)),
      save(column(3, ROWS.film), [1160, 800], 'five shots'),
    ],
    [['load', 'IMAGE', 'shot1', 'image'], ...filmLinks(5)],
  ),

  nine_shot_film_from_one_picture: graph(
    '# A nine-shot film from one picture\n\nOne node makes the whole film: each paragraph is a shot, '
    + '`4s:` its length, the line `#` above it its name. With **chain** on, each shot starts on the '
    + 'last frame of the one before it, to the bit; switch it off to make all side by side. The node '
    + 'says how many shots are to make and what that costs. Change one, and only that one, and those '
    + 'that follow from it, are made again. The film is joined without decoding it, so that it needs '
    + 'no memory; **video** gives each shot by itself.', 1460, 210,
    [
      picture('load', [0, 0], 'The first frame'),
      seedance('board', 'SeedanceStoryboard', [380, 0], [520, 1240], {
        shots: NINE.join('\n\n'), resolution: '480p', ratio: '16:9',
      }, 'Nine shots'),
      save([960, 0], [500, 460], 'nine shots'),
    ],
    [['load', 'IMAGE', 'board', 'image'], ['board', 'film', 'save', 'video']],
  ),

  two_providers_side_by_side: graph(
    '# Two providers side by side\n\nOne prompt, one seed, two providers: both clips are seen in one '
    + 'picture. As long as both nodes are set to `preview`, both sides are the same, and the second '
    + 'is not even made: it is the same order. Set **provider** to two of yours to compare them; '
    + '*Compare providers* in the menu of a node says beforehand what each would make of the order, '
    + 'and for how much.', 1540, 195,
    [
      {
        name: 'prompt', type: 'PrimitiveStringMultiline', title: 'The prompt for both',
        pos: [0, 0], size: [320, 280],
        widgets: {
          value: 'A potter lifts a glowing bowl out of the kiln with long tongs. Sparks fly, the '
            + 'fire crackles. The camera circles slowly around the bowl.',
        },
      },
      seedance('one', 'SeedanceT2V', [380, 0], [360, 830], SHORT, 'First provider'),
      seedance('two', 'SeedanceT2V', [800, 0], [360, 830], SHORT, 'Second provider'),
      {
        name: 'match', type: 'ResizeImageMaskNode', title: 'The second as large as the first',
        pos: [1220, 0], size: [320, 130],
        widgets: { resize_type: 'match size', 'resize_type.crop': 'center' },
      },
      {
        name: 'beside', type: 'ImageStitch', title: 'Side by side', pos: [1220, 190],
        size: [320, 150], widgets: { spacing_width: 8, spacing_color: 'black' },
      },
      {
        name: 'join', type: 'CreateVideo', title: 'With the sound of the first', pos: [1220, 400],
        size: [320, 90],
      },
      save([0, 920], [1540, 590], 'two providers'),
    ],
    [
      ['prompt', 'STRING', 'one', 'prompt'],
      ['prompt', 'STRING', 'two', 'prompt'],
      ['two', 'frames', 'match', 'input'],
      ['one', 'frames', 'match', 'resize_type.match'],
      ['one', 'frames', 'beside', 'image1'],
      ['match', 'resized', 'beside', 'image2'],
      ['beside', 'IMAGE', 'join', 'images'],
      ['one', 'audio', 'join', 'audio'],
      ['one', 'fps', 'join', 'fps'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  ),
}
