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
const SPARE = 75 // of the note's height: Nodes 2.0 writes larger

// A graph with its note: the nodes' places count from below the note.
function graph(text, width, height, nodes, links) {
  const note = {
    name: 'note',
    type: 'MarkdownNote',
    title: 'How to make it for real',
    pos: [0, 0],
    size: [width, height + SPARE],
    widgets: { text: `${text}\n\n${SWITCH}` },
  }
  const below = ({ pos: [x, y], ...node }) => ({ ...node, pos: [x, y + height + SPARE + TOP] })
  return { nodes: [note, ...nodes.map(below)], links }
}

// One of our nodes, of which only the width is given: it is as high as what is on it, with room for
// a prompt (scripts/example_workflows.cjs). Below it there must be room for its clip.
const seedance = (name, type, pos, [width], widgets, title) => ({
  name, type, pos, size: [width, 0], title,
  widgets: { ...(/Task$|Final$|Asset$/.test(type) ? {} : { provider: 'preview' }), ...widgets },
})
// A picture that comes with the pack (scripts/example_pictures.py).
const picture = (name, pos, title, file = 'windmill_day') => ({
  name, type: 'LoadImage', pos, title, size: [320, 290], widgets: { image: `seedance_${file}.png` },
})
const save = (pos, size, prefix) => ({
  name: 'save', type: 'SaveVideo', pos, size, widgets: { filename_prefix: `video/${prefix}` },
})

module.exports = { graph, seedance, picture, save }
