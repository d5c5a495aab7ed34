// Runs every example workflow on ComfyUI's page, and says how each ended.
//
//   node tests/page/browser/examples.cjs <url of a ComfyUI>
//
// Prints a JSON object: { name: { event, data, same, unknown } }; `same` is whether the page would save
// the values and links that the file holds, `unknown` the types of nodes that it does not have.

const fs = require('node:fs')
const path = require('node:path')
const { open, load, saved, run } = require('./page.cjs')

const FOLDER = path.join(__dirname, '..', '..', '..', 'example_workflows')

const essence = ({ nodes, links }) => JSON.stringify([
  nodes.map(({ id, type, widgets_values: values }) => [id, type, values ?? []]).sort((a, b) => a[0] - b[0]),
  links,
])

async function main(url) {
  const { browser, page } = await open(url)
  const ends = {}
  try {
    for (const file of fs.readdirSync(FOLDER).filter((name) => name.endsWith('.json'))) {
      const workflow = JSON.parse(fs.readFileSync(path.join(FOLDER, file), 'utf8'))
      await load(page, workflow)
      const same = essence(await saved(page)) === essence(workflow)
      const unknown = await page.evaluate(() => window.app.graph.nodes
        .filter(({ type }) => !(type in window.LiteGraph.registered_node_types))
        .map(({ type }) => type))
      ends[path.parse(file).name] = { ...(await run(page)), same, unknown }
    }
  } finally {
    await browser.close()
  }
  console.log(JSON.stringify(ends))
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exit(1)
})
