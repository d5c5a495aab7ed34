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

// Whether the page would save what the file holds. The page's own nodes may have more widgets in a
// newer version, and a list of links another order; ours have what the file says.
function same(file, page) {
  const sorted = ({ links }) => JSON.stringify([...links].sort((a, b) => a[0] - b[0]))
  if (sorted(file) !== sorted(page) || file.nodes.length !== page.nodes.length) return false
  return file.nodes.every(({ id, type, widgets_values: values }) => {
    const now = page.nodes.find((node) => node.id === id)
    const [before, after] = [values ?? [], now?.widgets_values ?? []]
    if (now?.type !== type) return false
    if (type.startsWith('Seedance')) return JSON.stringify(before) === JSON.stringify(after)
    return before.every((value, at) => value === null || value === after[at])
  })
}

async function main(url) {
  const { browser, page } = await open(url)
  const ends = {}
  try {
    const files = fs.readdirSync(FOLDER).filter((name) => /(?<!^index)\.json$/.test(name))
    for (const file of files) {
      const workflow = JSON.parse(fs.readFileSync(path.join(FOLDER, file), 'utf8'))
      await load(page, workflow)
      const kept = same(workflow, await saved(page))
      const unknown = await page.evaluate(() => window.app.graph.nodes
        .filter(({ type }) => !(type in window.LiteGraph.registered_node_types))
        .map(({ type }) => type))
      ends[path.parse(file).name] = { ...(await run(page)), same: kept, unknown }
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
