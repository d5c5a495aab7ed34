// Takes pictures of what is on ComfyUI's page: the graph alone, without bars and notices.

const MARGIN = 24
const [LEFT, TOP] = [80, 240] // the bars of the page lie at its edges

// A picture of the graph, `size` pixels on its longer side, once `clips` clips play on its nodes.
async function photograph(page, file, { size = 1000, clips = 0 } = {}) {
  await page.addStyleTag({ content: '.p-toast, .graph-canvas-menu { display: none !important }' })
  await aim(page, size) // only what is in view is loaded
  await page.waitForFunction((count) => {
    const there = [...document.querySelectorAll('video')].filter((video) => video.offsetParent)
    return there.length === count && there.every(({ readyState }) => readyState >= 2)
  }, clips)
  await page.waitForTimeout(500)
  const clip = await aim(page, size) // a node may have grown with its clip
  // Each clip as it looks late, without the buttons of the player.
  await page.evaluate(() => Promise.all([...document.querySelectorAll('video')].map((video) => {
    const found = new Promise((done) => video.addEventListener('seeked', done, { once: true }))
    video.controls = false
    video.pause()
    video.currentTime = video.duration * 0.7
    return found
  })))
  await page.waitForTimeout(1500)
  await page.screenshot({ path: file, type: 'jpeg', quality: 82, clip })
}

// Brings the whole graph into view, and gives the part of the page that it fills.
async function aim(page, size) {
  const [left, top, right, bottom] = await page.evaluate(() => {
    const boxes = window.app.graph.nodes.map((node) => node.getBounding())
    return [
      Math.min(...boxes.map(([x]) => x)),
      Math.min(...boxes.map(([, y]) => y)),
      Math.max(...boxes.map(([x, , width]) => x + width)),
      Math.max(...boxes.map(([, y, , height]) => y + height)),
    ]
  })
  const scale = (size - 2 * MARGIN) / Math.max(right - left, bottom - top)
  const width = Math.ceil((right - left) * scale) + 2 * MARGIN
  const height = Math.ceil((bottom - top) * scale) + 2 * MARGIN
  await page.setViewportSize({ width: LEFT + width + 80, height: TOP + height + 80 })
  await page.evaluate(([scale, x, y]) => {
    const { app } = window
    app.canvas.deselectAll?.()
    app.canvas.ds.scale = scale
    app.canvas.ds.offset = [x, y]
    app.graph.setDirtyCanvas(true, true)
  }, [scale, (LEFT + MARGIN) / scale - left, (TOP + MARGIN) / scale - top])
  await page.waitForTimeout(500)
  return { x: LEFT, y: TOP, width, height }
}

module.exports = { photograph }
