// Makes a blueprint of a graph, as the page publishes one.

const { build, load, saved } = require('../../tests/page/browser/page.cjs')

// What the page saves. A spec is that of blueprints.cjs.
async function publish(page, url, name, spec) {
  await build(page, spec)
  const ids = await page.evaluate(([name, spec]) => {
    const { graph } = window.app
    const nodes = [...graph.nodes]
    const inside = nodes.filter((_, index) => !spec.around.includes(spec.nodes[index].name))
    const { subgraph, node } = graph.convertToSubgraph(new Set(inside))
    subgraph.name = node.title = name
    subgraph.extra = {
      BlueprintDescription: spec.description, BlueprintSearchAliases: spec.aliases,
    }
    for (const other of [...graph.nodes]) if (other !== node) graph.remove(other)
    return Object.fromEntries(spec.nodes.map((item, index) => [item.name, nodes[index].id]))
  }, [name, spec])
  const workflow = await saved(page)
  const [node] = workflow.nodes
  const [subgraph] = workflow.definitions.subgraphs
  for (const slot of [subgraph, node].flatMap(({ inputs, outputs }) => [...inputs, ...outputs])) {
    slot.name = spec.sockets[slot.name] ?? slot.name
    delete slot.label
    delete slot.localized_name
  }
  subgraph.category = 'Seedance'
  node.properties.proxyWidgets = Object.entries(spec.widgets)
    .flatMap(([inner, widgets]) => widgets.map((widget) => [String(ids[inner]), widget]))
  await load(page, workflow)
  await page.evaluate(async (name) => {
    const { app } = window
    app.canvas.select(app.graph.nodes[0])
    await app.extensionManager.command.execute('Comfy.PublishSubgraph', { metadata: { name } })
  }, name)
  // The page keeps it with the user's own, where it is only in the way.
  const file = `${url}/userdata/${encodeURIComponent(`subgraphs/${name}.json`)}`
  const blueprint = await (await page.request.get(file)).json()
  await page.request.delete(file)
  return blueprint
}

module.exports = { publish }
