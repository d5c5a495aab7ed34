/**
 * The example workflows in ComfyUI's template browser, with titles, descriptions, tags and moving
 * pictures from example_workflows/index.json. The browser itself knows only the names of the files
 * of a pack, and reads such an index of its own templates alone.
 */
import { knowsNode, packName, request } from "../page.mjs";
import { known, ready } from "./words.mjs";

/**
 * @typedef {{ name: string, title: string, description: string, requires?: string[] }} Template
 * @typedef {{ moduleName: string, title: string, type?: string, templates: Template[] }} Category
 */

// Templates of nodes that only newer versions of ComfyUI have are in a folder of their own, where
// an older one does not list them.
const FOLDERS = ["", "newer/"];

/**
 * The templates of packs by their names, without ours.
 * @param {Record<string, string[]>} names
 */
export async function getWorkflowTemplates(names) {
  const { [packName]: ours, ...others } = names;
  return ours && (await categories()).length ? others : names;
}

/**
 * ComfyUI's own templates by category, with ours after them.
 * @param {Category[]} core
 */
export async function getCoreWorkflowTemplates(core) {
  return [...core, ...(await categories())];
}

/** Our templates, in the language of the page. @returns {Promise<Category[]>} */
async function categories() {
  await ready();
  const folders = await Promise.all(FOLDERS.map(indexOf));
  const templates = folders.flat().filter(({ requires = [] }) => requires.every(knowsNode));
  return [{ moduleName: packName, title: "Seedance", type: "video", templates }];
}

/** @param {string} folder */
async function indexOf(folder) {
  const answer = await request(`/workflow_templates/${packName}/${folder}index.json`);
  if (!answer.ok) throw new Error(answer.statusText);
  const [{ templates }] = /** @type {Category[]} */ (await answer.json());
  return templates.map((template) => ({
    ...template,
    name: folder + template.name,
    title: known(`templates.${template.name}.title`) ?? template.title,
    description: known(`templates.${template.name}.description`) ?? template.description,
  }));
}
