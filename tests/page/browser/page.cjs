// ComfyUI's page in a browser: open it, build a graph, run it, take a picture.
//
// Needs playwright-core (NODE_PATH names the folder that holds it) and Chromium (CHROMIUM, by
// default /usr/bin/chromium).

const { chromium } = require('playwright-core')

const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
]

// Opens the page and waits until our nodes are there. Only this machine is reached.
async function open(url, viewport = { width: 1600, height: 1000 }) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: QUIET,
  })
  const page = await browser.newPage({ viewport, colorScheme: 'dark' })
  const host = new URL(url).host
  await page.route(
    (address) => address.protocol.startsWith('http') && address.host !== host,
    (route) => route.abort(),
  )
  // Without this a new user is shown the templates.
  for (const [name, value] of [
    ['Comfy.TutorialCompleted', true],
    ['Comfy.Minimap.Visible', false],
    ['Comfy.Graph.CanvasInfo', false],
    ['Comfy.RightSidePanel.IsOpen', false],
    ['Comfy.VueNodes.Enabled', false],
    ['LiteGraph.Canvas.MinFontSizeForLOD', 0],
  ]) {
    await page.request.post(`${url}/settings/${name}`, { data: value })
  }
  await page.goto(url)
  await page.waitForFunction(
    () => window.app?.graph && window.LiteGraph?.registered_node_types?.SeedanceT2V,
  )
  return { browser, page }
}

// Puts a graph on the page, as a person would by hand.
//
// spec.nodes: [{ name, type, pos, size?, title?, properties?, widgets? }], the widgets by name;
// spec.links: [[from, output, to, input]] by names.
async function build(page, spec) {
  await page.evaluate(async (spec) => {
    const app = window.app
    await app.extensionManager.command.execute('Comfy.NewBlankWorkflow')
    const made = {}
    for (const { name, type, pos, size, title, properties, widgets = {} } of spec.nodes) {
      const node = window.LiteGraph.createNode(type)
      if (!node) throw new Error(`no node ${type}`)
      app.graph.add(node)
      node.pos = pos
      if (title) node.title = title
      Object.assign(node.properties, properties)
      for (const [widget, value] of Object.entries(widgets)) {
        const found = node.widgets.find((item) => item.name === widget)
        if (!found) throw new Error(`${type} has no widget ${widget}`)
        found.value = value
        found.callback?.(value)
      }
      if (size) node.setSize(size)
      made[name] = node
    }
    for (const [from, output, to, input] of spec.links) {
      const source = made[from]
      const target = made[to]
      const slot = source.outputs.findIndex((item) => item.name === output)
      const socket = target.inputs.findIndex((item) => item.name === input)
      if (slot < 0 || socket < 0) {
        const there = target.inputs.map((item) => item.name)
        throw new Error(`no link ${from}.${output} -> ${to}.${input}; there are ${there}`)
      }
      source.connect(slot, target, socket)
      // Sockets that grow do so after a link was made.
      await new Promise((done) => setTimeout(done, 100))
    }
    app.graph.setDirtyCanvas(true, true)
  }, spec)
}

// The workflow as the page saves it.
async function saved(page) {
  return page.evaluate(async () => (await window.app.graphToPrompt()).workflow)
}

// Runs what is on the page, and gives how it ended: { event, data }.
async function run(page) {
  return page.evaluate(async () => {
    const api = window.app.api
    const ended = new Promise((done) => {
      for (const event of ['execution_success', 'execution_error', 'execution_interrupted']) {
        api.addEventListener(event, ({ detail }) => done({ event, data: detail }), { once: true })
      }
    })
    await window.app.queuePrompt(0)
    const errors = window.app.lastNodeErrors
    if (errors && Object.keys(errors).length) return { event: 'refused', data: errors }
    return ended
  })
}

// Puts a saved workflow on the page, as dropping its file there does.
async function load(page, workflow) {
  await page.evaluate(async (workflow) => {
    await window.app.extensionManager.command.execute('Comfy.NewBlankWorkflow')
    await window.app.loadGraphData(workflow)
  }, workflow)
}

module.exports = { open, build, load, saved, run }
