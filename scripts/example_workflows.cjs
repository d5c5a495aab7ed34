// Makes example_workflows/: builds each graph on ComfyUI's own page, saves what the page saves, runs
// it, and takes its picture.
//
//   NODE_PATH=<folder with playwright-core> node scripts/example_workflows.cjs <url of a ComfyUI> [name ...]
//
// They run as they are: with the provider preview, and with the one picture that every ComfyUI has.
// The one that needs a checkpoint is not run.

const fs = require('node:fs')
const path = require('node:path')
const { open, build, saved, run } = require('../tests/browser/page.cjs')
const { photograph } = require('./graphs/camera.cjs')

const FOLDER = path.join(__dirname, '..', 'example_workflows')
const EXAMPLES = {
  ...require('./graphs/one_node.cjs'),
  ...require('./graphs/films.cjs'),
  ...require('./graphs/keyframes.cjs'),
}

async function main(url, ...names) {
  fs.mkdirSync(FOLDER, { recursive: true })
  const { browser, page } = await open(url)
  try {
    for (const name of names.length ? names : Object.keys(EXAMPLES)) {
      const spec = EXAMPLES[name]
      await build(page, spec)
      await page.waitForTimeout(500)
      const workflow = await saved(page)
      fs.writeFileSync(path.join(FOLDER, `${name}.json`), `${JSON.stringify(workflow, null, 1)}\n`)
      const runs = !spec.nodes.some(({ type }) => type === 'CheckpointLoaderSimple')
      if (runs) {
        const { event, data } = await run(page)
        if (event !== 'execution_success') throw new Error(`${name}: ${JSON.stringify(data)}`)
      }
      const shown = spec.nodes.filter(({ type }) => /^(Seedance|SaveVideo)/.test(type))
      const picture = path.join(FOLDER, `${name}.jpg`)
      await photograph(page, picture, { clips: runs ? shown.length : 0 })
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
