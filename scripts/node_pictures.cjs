// Takes the picture of each node for its help page: web/docs/<node id>/node.jpg.
//
//   NODE_PATH=<folder with playwright-core> node scripts/node_pictures.cjs <url of a ComfyUI> [<node id>]
//
// Start that ComfyUI with any words in BYTEPLUS_API_KEY and EVOLINK_API_KEY, or the pictures tell that
// there is no key. Nothing is sent to a provider.

const path = require('node:path')
const { open, build } = require('../tests/page/browser/page.cjs')

const DOCS = path.join(__dirname, '..', 'web', 'docs')
const MARGIN = 16
const NODES = {
  SeedanceT2V: {
    provider: 'byteplus',
    prompt: 'A fox walks through deep snow at dawn, its breath visible in the cold air',
  },
  SeedanceI2V: {
    provider: 'byteplus', prompt: 'She turns to the camera and smiles while the wind moves her hair',
  },
  SeedanceFrames: {
    provider: 'evolink', prompt: 'The flower opens slowly from bud to full bloom',
  },
  SeedanceReference: {
    provider: 'evolink', prompt: '@Image1 walks beside @Image2 on a beach, to the sound of @Audio1',
  },
  SeedanceV2V: { provider: 'preview', prompt: 'Make it winter: snow falls, the trees are bare' },
  SeedanceTask: { task: 'lumenfall:video_123' },
  SeedanceAsset: { name: 'Hero', provider: 'any', kind: 'other' },
  SeedanceStoryboard: {
    provider: 'byteplus',
    shots: '# wide\n8s: A red fox runs through fresh snow\n\n# close\nThe fox stops and looks back',
  },
  SeedanceFinal: { draft: 'byteplus:cgt-20261128093000-abc12' },
}

async function main(url) {
  const { browser, page } = await open(url)
  try {
    await page.request.post(`${url}/settings/Comfy.VueNodes.Enabled`, { data: true })
    await page.reload()
    await page.waitForFunction(
      () => window.app?.graph && window.LiteGraph?.registered_node_types?.SeedanceT2V,
    )
    for (const [type, widgets] of Object.entries(NODES)) {
      if (process.argv[3] && process.argv[3] !== type) continue
      await build(page, { nodes: [{ name: 'node', type, pos: [0, 0], widgets }], links: [] })
      await page.evaluate(() => {
        const { ds } = window.app.canvas
        ds.scale = 1
        ds.offset = [500, 150]
        window.app.graph.setDirtyCanvas(true, true)
      })
      await page.waitForTimeout(3000) // until the price is there
      const box = await page.locator('[data-node-id]').boundingBox()
      const advanced = page.getByText('Show advanced inputs')
      const foot = (await advanced.count()) ? await advanced.boundingBox() : { y: box.y, height: box.height }
      await page.screenshot({
        path: path.join(DOCS, type, 'node.jpg'), type: 'jpeg', quality: 85,
        clip: {
          x: box.x - MARGIN, y: box.y - MARGIN,
          width: box.width + 2 * MARGIN, height: foot.y + foot.height + 2 * MARGIN - box.y + 8,
        },
      })
    }
  } finally {
    await browser.close()
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exit(1)
})
