// Puts the blueprint of the pack into a graph as a person does, copies it, and runs that.
//
//   node tests/page/browser/blueprints.cjs <url of a ComfyUI>
//
// Prints a JSON object: { event, data, blueprint } with how the run ended, and the sockets and
// widgets that the blueprint shows.

const { open, build, run } = require('./page.cjs')

const NAME = 'Seedance Next Shot'
const SHOT = { provider: 'preview', resolution: '480p', duration: 4, prompt: 'A hill.' }
const GRAPH = {
  nodes: [
    { name: 'first', type: 'SeedanceT2V', pos: [-900, -400], widgets: SHOT },
    { name: 'join', type: 'CreateVideo', pos: [900, -400] },
    {
      name: 'save', type: 'SaveVideo', pos: [900, -200],
      widgets: { filename_prefix: 'video/blueprint' },
    },
  ],
  links: [['first', 'fps', 'join', 'fps'], ['join', 'VIDEO', 'save', 'video']],
}

const count = (page, number) => page.waitForFunction(
  (number) => window.app.graph.nodes.length === number, number,
)

async function main(url) {
  const { browser, page } = await open(url)
  try {
    await build(page, GRAPH)
    await page.evaluate(() => {
      const { ds } = window.app.canvas
      ds.scale = 1
      ds.offset = [0, -2000] // where nothing is
    })
    await page.waitForTimeout(1000) // until it is drawn there
    await page.mouse.dblclick(400, 500)
    await page.getByPlaceholder('Add a node').fill(NAME)
    await page.getByText('Blueprint', { exact: true }).first().waitFor()
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT })
    await page.keyboard.press('Enter')
    await count(page, 4)
    await page.mouse.click(450, 485) // its title
    await page.keyboard.press('Control+c')
    await page.mouse.move(1000, 500)
    await page.keyboard.press('Control+v')
    await count(page, 5)
    const blueprint = await page.evaluate((name) => {
      const nodes = window.app.graph.nodes
      const [first, join] = nodes
      const shots = nodes.filter(({ title }) => title === name)
      const link = (from, output, to, input) => from.connect(
        from.outputs.findIndex((slot) => slot.name === output), to,
        to.inputs.findIndex((slot) => slot.name === input),
      )
      for (const [from, to] of [[first, shots[0]], [shots[0], shots[1]]]) {
        for (const socket of ['last_frame', 'frames', 'audio']) link(from, socket, to, socket)
      }
      link(shots[1], 'frames', join, 'images')
      link(shots[1], 'audio', join, 'audio')
      shots[1].widgets.find((widget) => widget.name === 'prompt').value = 'The end.'
      const { inputs, outputs, widgets } = shots[0]
      const sockets = (slots) => slots.filter((slot) => !slot.widget).map((slot) => slot.name)
      return {
        inputs: sockets(inputs), outputs: sockets(outputs), widgets: widgets.map((item) => item.name),
      }
    }, NAME)
    console.log(JSON.stringify({ ...(await run(page)), blueprint }))
  } finally {
    await browser.close()
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exit(1)
})
