// Makes example_workflows/ and subgraphs/: builds each graph on ComfyUI's own page and saves what the
// page saves; runs each example and takes its picture.
//
//   NODE_PATH=<folder with playwright-core> node scripts/example_workflows.cjs <url> [<name> ...]
//
// The url is that of a ComfyUI; without names, all are made. Examples run as they are: with the
// provider preview, and with the one picture that every ComfyUI has. The one that needs a checkpoint
// is not run.

const fs = require('node:fs')
const path = require('node:path')
const { open, build, load, saved, run } = require('../tests/page/browser/page.cjs')
const { photograph } = require('./graphs/camera.cjs')
const { publish } = require('./graphs/publish.cjs')

const ROOT = path.join(__dirname, '..')
const EXAMPLES = {
  ...require('./graphs/one_node.cjs'),
  ...require('./graphs/films.cjs'),
  ...require('./graphs/drafts.cjs'),
  ...require('./graphs/characters.cjs'),
  ...require('./graphs/keyframes.cjs'),
}
const BLUEPRINTS = require('./graphs/blueprints.cjs')

function write(folder, name, workflow) {
  const file = path.join(ROOT, folder, `${name}.json`)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, `${JSON.stringify(workflow, null, 1)}\n`)
}

async function example(page, name) {
  const spec = EXAMPLES[name]
  await build(page, spec)
  await page.waitForTimeout(500)
  await load(page, await saved(page)) // some of the page's own nodes hold other values from then on
  write('example_workflows', name, await saved(page))
  const runs = !spec.nodes.some(({ type }) => type === 'CheckpointLoaderSimple')
  if (runs) {
    const { event, data } = await run(page)
    if (event !== 'execution_success') throw new Error(`${name}: ${JSON.stringify(data)}`)
  }
  const shown = spec.nodes.filter(({ type }) => /^(Seedance(?!Asset)|SaveVideo)/.test(type))
  const picture = path.join(ROOT, 'example_workflows', `${name}.jpg`)
  await photograph(page, picture, { clips: runs ? shown.length : 0 })
}

async function main(url, ...names) {
  const { browser, page } = await open(url)
  try {
    for (const name of names.length ? names : Object.keys({ ...EXAMPLES, ...BLUEPRINTS })) {
      if (name in EXAMPLES) await example(page, name)
      else write('subgraphs', name, await publish(page, url, name, BLUEPRINTS[name]))
    }
  } finally {
    await browser.close()
  }
}

const [url, ...names] = process.argv.slice(2)
main(url, ...names).catch((error) => {
  console.error(error)
  process.exit(1)
})
