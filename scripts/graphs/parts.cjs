// What the graphs of example_workflows/ and subgraphs/ have in common: the note, our nodes as they
// run free, and a place for each part.
//
// A graph is what build() of tests/page/browser/page.cjs takes. The note lies above the nodes, as wide as
// all of them, so that a graph is about as high as it is wide: thumbnails are shown in a square.

const SWITCH = `**provider** is set to \`preview\`: a free placeholder, made on this computer. Build and
share the whole graph with it, then:

1. Give a key: **Settings > Seedance**, or the environment, or \`seedance key set lumenfall\`. Keys
   are never part of a workflow.
2. Set **provider** to yours, or to \`auto\`: the cheapest of those that have a key and can do it as
   asked.
3. Queue. A real video takes minutes and costs money. The same inputs with the same seed are never
   paid twice; another **seed** is another video.`

const TOP = 60 // between the note and what is below it

// A graph with its note: the nodes' places count from below the note.
function graph(text, width, height, nodes, links) {
  const note = {
    name: 'note',
    type: 'MarkdownNote',
    title: 'How to make it for real',
    pos: [0, 0],
    size: [width, height],
    widgets: { text: `${text}\n\n${SWITCH}` },
  }
  const below = ({ pos: [x, y], ...node }) => ({ ...node, pos: [x, y + height + TOP] })
  return { nodes: [note, ...nodes.map(below)], links }
}

const seedance = (name, type, pos, size, widgets, title) => ({
  name, type, pos, size, title,
  widgets: { ...(/Task$|Final$|Asset$/.test(type) ? {} : { provider: 'preview' }), ...widgets },
})
const picture = (name, pos, title) => ({
  name, type: 'LoadImage', pos, title, size: [320, 370], widgets: { image: 'example.png' },
})
// The picture of a node at night, in the same place: `night` is what to link.
const nightOf = (name, [x, y], title) => ({
  nodes: [
    {
      name: 'dark', type: 'EmptyImage', title: 'Night blue', pos: [x, y], size: [320, 130],
      widgets: { width: 768, height: 768, color: 0x5c7cc0 },
    },
    {
      name: 'night', type: 'ImageBlend', title, pos: [x, y + 190], size: [320, 102],
      widgets: { blend_factor: 1, blend_mode: 'multiply' },
    },
  ],
  links: [[name, 'IMAGE', 'night', 'image1'], ['dark', 'IMAGE', 'night', 'image2']],
})
const save = (pos, size, prefix) => ({
  name: 'save', type: 'SaveVideo', pos, size, widgets: { filename_prefix: `video/${prefix}` },
})

module.exports = { graph, seedance, picture, nightOf, save }
