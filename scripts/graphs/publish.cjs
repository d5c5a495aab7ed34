// Makes a blueprint of a graph, as the page publishes one.

const { build, load, saved } = require('../../tests/page/browser/page.cjs')

// What the page saves. A spec is that of blueprints.cjs.
async function publish(page, url, name, spec) {
  await build(page, spec)
  await page.evaluate(([name, spec]) => {
    const { graph } = window.app
    const nodes = [...graph.nodes]
    const inside = nodes.filter((_, index) => !spec.around.includes(spec.nodes[index].name))
    const ids = Object.fromEntries(spec.nodes.map((item, index) => [item.name, nodes[index].id]))
    const { subgraph, node } = graph.convertToSubgraph(new Set(inside))
    // Linked inputs: they stay when the page gives the nodes inside other ids.
    for (const [inner, widgets] of Object.entries(spec.widgets)) {
      const target = subgraph.getNodeById(ids[inner])
      for (const widget of widgets) {
        const slot = target.inputs.find((input) => input.widget?.name === widget)
        subgraph.addInput(widget, String(slot.type)).connect(slot, target)
      }
    }
    subgraph.name = node.title = name
    subgraph.extra = {
      BlueprintDescription: spec.description, BlueprintSearchAliases: spec.aliases,
    }
    for (const other of [...graph.nodes]) if (other !== node) graph.remove(other)
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
  for (const { properties } of blueprint.nodes) properties.proxyWidgets = [] // names by old ids
  return blueprint
}

module.exports = { publish }
