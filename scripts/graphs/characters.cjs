// One character with a name, in three shots that become one clip.

const { graph, seedance, picture, save } = require('./parts.cjs')

const SHOTS = [
  ' stands in the rain under a street lamp and looks up. Rain patters.',
  ' runs up a long staircase, two steps at a time. Footsteps echo.',
  ' opens a door, and warm light falls out. Music and voices.',
]

module.exports = {
  one_character_three_shots: graph(
    '# One character, three shots\n\n*Seedance Asset* gives a picture a name, here `Hero`. A prompt calls '
    + 'it `@Asset:Hero`: here each is put together from the name and what happens, so that the shots '
    + 'wait for the asset; once it is there, you can simply type the name. With **any** it is '
    + 'kept on this machine and goes to every provider, a different one for each shot if you like. More '
    + 'pictures of the character, or a voice, go under the same name with one more *Seedance Asset* each. The '
    + 'sidebar *Seedance assets* lists them.\n\nA real person must have agreed to this. Several '
    + 'providers refuse pictures of real people; the README says which.', 2480, 240,
    [
      picture('load', [0, 0]),
      seedance('asset', 'SeedanceAsset', [0, 430], [320, 260], { name: 'Hero', provider: 'any' }),
      ...SHOTS.map((text, index) => ({
        name: `text${index}`, type: 'StringConcatenate', title: `Shot ${index + 1}`,
        pos: [380, 330 * index], size: [340, 270], widgets: { string_b: text },
      })),
      ...SHOTS.map((_, index) => seedance(
        `shot${index}`, 'SeedanceReference', [780 + 400 * index, 0], [360, 1120],
        { resolution: '480p', ratio: '16:9', duration: 4 }, `Shot ${index + 1}`,
      )),
      { name: 'frames', type: 'BatchImagesNode', title: 'All frames', pos: [1980, 0], size: [320, 110] },
      { name: 'sound', type: 'AudioConcat', title: 'Sound of 1 and 2', pos: [1980, 170], size: [320, 78] },
      { name: 'sounds', type: 'AudioConcat', title: 'All sounds', pos: [1980, 310], size: [320, 78] },
      { name: 'join', type: 'CreateVideo', pos: [1980, 450], size: [320, 90] },
      save([1980, 600], [500, 440], 'one character'),
    ],
    [
      ['load', 'IMAGE', 'asset', 'image'],
      ...SHOTS.flatMap((_, index) => [
        ['asset', 'asset', `text${index}`, 'string_a'],
        [`text${index}`, 'STRING', `shot${index}`, 'prompt'],
        [`shot${index}`, 'frames', 'frames', `images.image${index}`],
      ]),
      ['shot0', 'audio', 'sound', 'audio1'],
      ['shot1', 'audio', 'sound', 'audio2'],
      ['sound', 'AUDIO', 'sounds', 'audio1'],
      ['shot2', 'audio', 'sounds', 'audio2'],
      ['frames', 'IMAGE', 'join', 'images'],
      ['sounds', 'AUDIO', 'join', 'audio'],
      ['shot0', 'fps', 'join', 'fps'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  ),
}
