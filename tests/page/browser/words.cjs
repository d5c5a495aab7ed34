// Runs one node on ComfyUI's page, and says what a person reads there.
//
//   node tests/page/browser/words.cjs <url of a ComfyUI>
//
// Prints a JSON object: { words, seed, error }; `words` is what the node says after its run, `seed`
// what is to happen to its seed after each run, `error` what the page shows for a provider without
// a key.

const { open, build, run } = require('./page.cjs')

const graph = (provider) => ({
  nodes: [
    {
      name: 'video', type: 'SeedanceT2V', pos: [0, 0],
      widgets: { prompt: 'a hill', provider, resolution: '720p', duration: 4 },
    },
    { name: 'any', type: 'PreviewAny', pos: [500, 0] },
  ],
  links: [['video', 'task', 'any', 'source']],
})

async function main(url) {
  const { browser, page } = await open(url)
  try {
    await build(page, graph('preview'))
    await run(page)
    const words = await page.locator('.seedance-run').innerText()
    const seed = await page.evaluate(() => {
      const { widgets } = window.app.graph.nodes.find(({ type }) => type === 'SeedanceT2V')
      return widgets[widgets.findIndex(({ name }) => name === 'seed') + 1].value
    })
    await build(page, graph('lumenfall'))
    await run(page)
    const shown = page.getByText('There is no key for Lumenfall').first()
    await shown.waitFor({ timeout: 20000 })
    console.log(JSON.stringify({ words, seed, error: await shown.innerText() }))
  } finally {
    await browser.close()
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exit(1)
})
