// Makes example_workflows/: builds each graph on ComfyUI's own page, saves what the page saves, runs
// it, and takes its picture.
//
//   NODE_PATH=<folder with playwright-core> node scripts/example_workflows.cjs <url of a ComfyUI>
//
// They run as they are: with the provider preview, and with the one picture that every ComfyUI has.

const fs = require('node:fs')
const path = require('node:path')
const { open, build, saved, run, fit } = require('../tests/browser/page.cjs')

const FOLDER = path.join(__dirname, '..', 'example_workflows')

const SWITCH = `**provider** is set to \`preview\`: a free placeholder, made on this computer. Build and
share the whole graph with it, then:

1. Give a key: **Settings > Seedance**, or the environment, or
   \`seedance key set lumenfall\`. Keys are never part of a workflow.
2. Set **provider** on the node to yours, or to \`auto\`: the cheapest of those that have a key and
   can do it as asked.
3. Queue. A real video takes minutes and costs money. The same inputs with the same seed are never
   paid twice; another **seed** is another video.`

const note = (text, height = 300) => ({
  name: 'note',
  type: 'MarkdownNote',
  title: 'How to make it for real',
  pos: [0, 0],
  size: [380, height],
  widgets: { text: `${text}\n\n${SWITCH}` },
})
const seedance = (name, type, pos, widgets, title) => ({
  name, type, pos, title,
  size: [400, 720],
  widgets: { provider: 'preview', ...widgets },
})
const picture = (name, pos) => ({
  name, type: 'LoadImage', pos, size: [320, 360], widgets: { image: 'example.png' },
})
const save = (pos, prefix) => ({
  name: 'save', type: 'SaveVideo', pos, size: [420, 420], widgets: { filename_prefix: prefix },
})

const EXAMPLES = {
  text_to_video: {
    nodes: [
      note('# Text to video\n\nA prompt becomes a video with sound.'),
      seedance('video', 'SeedanceT2V', [430, 0], {
        prompt: 'A paper boat sails down a rain-filled street at dusk, past glowing shop windows. '
          + 'The camera follows it close to the water. Rain patters, a bicycle bell rings.',
      }),
      save([880, 0], 'video/text to video'),
    ],
    links: [['video', 'video', 'save', 'video']],
  },
  image_to_video: {
    nodes: [
      note('# Image to video\n\nThe video starts exactly on the picture. With the ratio *adaptive* '
        + 'it has the shape that comes nearest to the picture.'),
      picture('load', [0, 360]),
      seedance('video', 'SeedanceI2V', [430, 0], {
        prompt: 'The girl waves with both arms and laughs while the clouds drift by. '
          + 'The camera slowly moves in.',
      }),
      save([880, 0], 'video/image to video'),
    ],
    links: [['load', 'IMAGE', 'video', 'image'], ['video', 'video', 'save', 'video']],
  },
  first_and_last_frame: {
    nodes: [
      note('# First and last frame\n\nThe video goes from one picture to the other. Here the last '
        + 'frame is the first one, mirrored.'),
      picture('load', [0, 360]),
      {
        name: 'flip', type: 'ImageFlip', title: 'Last frame', pos: [0, 780], size: [320, 60],
        widgets: { flip_method: 'y-axis: horizontally' },
      },
      seedance('video', 'SeedanceFrames', [430, 0], {
        prompt: 'The girl whirls around once, her hair flying, until she faces the other way.',
      }),
      save([880, 0], 'video/first and last frame'),
    ],
    links: [
      ['load', 'IMAGE', 'video', 'first_frame'],
      ['load', 'IMAGE', 'flip', 'image'],
      ['flip', 'IMAGE', 'video', 'last_frame'],
      ['video', 'video', 'save', 'video'],
    ],
  },
  references: {
    nodes: [
      note('# References\n\nPictures, clips and sounds that the video takes persons, things, '
        + 'movements or voices from. Name them in the prompt: `@Image1`, `@Video1`, `@Audio1`. Each '
        + 'socket that is connected makes room for the next.', 340),
      picture('load', [0, 400]),
      {
        name: 'invert', type: 'ImageInvert', title: 'The same at night', pos: [0, 820],
        size: [320, 60],
      },
      seedance('video', 'SeedanceReference', [430, 0], {
        prompt: 'The girl of @Image1 walks over the hill into the night of @Image2.',
      }),
      save([880, 0], 'video/references'),
    ],
    links: [
      ['load', 'IMAGE', 'video', 'images.image_1'],
      ['load', 'IMAGE', 'invert', 'image'],
      ['invert', 'IMAGE', 'video', 'images.image_2'],
      ['video', 'video', 'save', 'video'],
    ],
  },
  two_shots_in_one_clip: {
    nodes: [
      note('# Two shots in one clip\n\nThe last frame of the first shot is the first frame of the '
        + 'second. It is the same to the bit each time, so that queueing again pays for neither. '
        + "ComfyUI's own nodes join frames and sound.", 340),
      seedance('one', 'SeedanceT2V', [430, 0], {
        prompt: 'A red fox trots through fresh snow between birches and stops.',
        resolution: '480p', duration: 4,
      }, 'Shot 1'),
      seedance('two', 'SeedanceI2V', [880, 0], {
        prompt: 'The fox pricks up its ears, leaps high and dives head first into the snow.',
        resolution: '480p', duration: 4,
      }, 'Shot 2'),
      { name: 'frames', type: 'BatchImagesNode', pos: [1330, 0], size: [260, 80] },
      { name: 'sound', type: 'AudioConcat', pos: [1330, 150], size: [260, 90] },
      { name: 'join', type: 'CreateVideo', pos: [1330, 310], size: [260, 110] },
      save([1640, 0], 'video/two shots'),
    ],
    links: [
      ['one', 'last_frame', 'two', 'image'],
      ['one', 'frames', 'frames', 'images.image0'],
      ['two', 'frames', 'frames', 'images.image1'],
      ['one', 'audio', 'sound', 'audio1'],
      ['two', 'audio', 'sound', 'audio2'],
      ['frames', 'IMAGE', 'join', 'images'],
      ['sound', 'AUDIO', 'join', 'audio'],
      ['one', 'fps', 'join', 'fps'],
      ['join', 'VIDEO', 'save', 'video'],
    ],
  },
}

async function main(url) {
  fs.mkdirSync(FOLDER, { recursive: true })
  const { browser, page } = await open(url, { width: 1500, height: 1000 })
  try {
    for (const [name, spec] of Object.entries(EXAMPLES)) {
      await build(page, spec)
      await fit(page)
      const workflow = await saved(page)
      fs.writeFileSync(path.join(FOLDER, `${name}.json`), `${JSON.stringify(workflow, null, 1)}\n`)
      const { event, data } = await run(page)
      if (event !== 'execution_success') throw new Error(`${name}: ${JSON.stringify(data)}`)
      await page.waitForTimeout(6000) // until the page's own notices are gone
      await fit(page)
      await page.screenshot({
        path: path.join(FOLDER, `${name}.jpg`), type: 'jpeg', quality: 80,
        clip: { x: 56, y: 100, width: 1444, height: 900 },
      })
    }
  } finally {
    await browser.close()
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exit(1)
})
