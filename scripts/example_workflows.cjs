// Makes example_workflows/ and subgraphs/: builds each graph on ComfyUI's own page and saves what the
// page saves; runs each example and makes its thumbnails of what comes out.
//
//   NODE_PATH=<folder with playwright-core> PYTHON=<with the pack's requirements> \
//     node scripts/example_workflows.cjs <url> [<name> ...]
//
// The url is that of a ComfyUI; without names, all are made whose nodes it has. Examples run as they
// are: with the provider preview, and with the pictures of the pack. Those that need a model are not
// run, and keep the thumbnails that they have.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { open, build, load, saved, run } = require('../tests/page/browser/page.cjs')
const { photograph } = require('./graphs/camera.cjs')
const { publish } = require('./graphs/publish.cjs')

const ROOT = path.join(__dirname, '..')
const FOLDER = path.join(ROOT, 'example_workflows')
const EXAMPLES = {
  ...require('./graphs/one_node.cjs'),
  ...require('./graphs/films.cjs'),
  ...require('./graphs/drafts.cjs'),
  ...require('./graphs/characters.cjs'),
  ...require('./graphs/keyframes.cjs'),
  ...require('./graphs/finish.cjs'),
}
const BLUEPRINTS = require('./graphs/blueprints.cjs')
const ROOM = { prompt: 96, shots: 300 } // pixels for a text, more than ComfyUI gives it
const OF_MODELS = /^(CheckpointLoaderSimple|FrameInterpolationModelLoader)$/
const IN_README = 'keyframes_to_video'

function write(folder, name, workflow) {
  const file = path.join(ROOT, folder, `${name}.json`)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, `${JSON.stringify(workflow, null, 1)}\n`)
}

// Gives our nodes the height of what is on them.
async function fit(page) {
  await page.waitForTimeout(1500) // until each has its line
  await page.evaluate((room) => {
    for (const node of window.app.graph.nodes) {
      if (!/^Seedance/.test(node.type)) continue
      const more = Math.max(0, ...node.widgets.map(({ name }) => room[name] ?? 0))
      node.setSize([node.size[0], node.computeSize()[1] + more])
    }
  }, ROOM)
}

// Lets the page open the graph as an app.
async function asApp(page, spec) {
  if (!spec.app) return
  await page.evaluate(([names, app]) => {
    const { graph } = window.app
    const ids = Object.fromEntries(names.map((name, index) => [name, graph.nodes[index].id]))
    graph.extra.linearMode = true
    graph.extra.linearData = {
      inputs: app.inputs.map(([name, widget]) => [ids[name], widget]),
      outputs: app.outputs.map((name) => ids[name]),
    }
  }, [spec.nodes.map(({ name }) => name), spec.app])
}

// Makes the thumbnails of the clip that the page has just saved.
async function thumbnails(page, url, name, run) {
  let entry
  while (!entry) entry = (await (await page.request.get(`${url}/history/${run}`)).json())[run]
  const { outputs } = entry
  const files = Object.values(outputs).flatMap((output) => Object.values(output).flat())
  const file = files.find(({ subfolder }) => subfolder === 'video')
  const clip = path.join(os.tmpdir(), `thumbnail-${process.pid}.mp4`)
  const answer = await page.request.get(`${url}/view?${new URLSearchParams(file)}`)
  fs.writeFileSync(clip, await answer.body())
  execFileSync(process.env.PYTHON || 'python', [
    path.join(__dirname, 'thumbnails.py'), clip, path.join(FOLDER, name),
  ])
  fs.rmSync(clip)
}

async function example(page, url, name) {
  const spec = EXAMPLES[name]
  await build(page, spec)
  await fit(page)
  await load(page, await saved(page)) // some of the page's own nodes hold other values from then on
  await page.waitForTimeout(500)
  await asApp(page, spec)
  write('example_workflows', name, await saved(page))
  if (spec.nodes.some(({ type }) => OF_MODELS.test(type))) return
  const { event, data } = await run(page)
  if (event !== 'execution_success') throw new Error(`${name}: ${JSON.stringify(data)}`)
  await thumbnails(page, url, name, data.prompt_id)
  if (name !== IN_README) return
  const shown = spec.nodes.filter(({ type }) => /^(Seedance(?!Asset)|SaveVideo)/.test(type))
  await photograph(page, path.join(ROOT, 'docs', `${name}.jpg`), { clips: shown.length })
}

async function main(url, ...names) {
  const { browser, page } = await open(url)
  try {
    const types = await page.evaluate(() => Object.keys(window.LiteGraph.registered_node_types))
    const known = Object.keys(EXAMPLES).filter((name) => (
      EXAMPLES[name].nodes.every(({ type }) => types.includes(type))))
    for (const name of names.length ? names : [...known, ...Object.keys(BLUEPRINTS)]) {
      if (name in EXAMPLES) await example(page, url, name)
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
