/**
 * The entry: tells ComfyUI's page what the pack adds to it.
 *
 * ComfyUI loads every *.js of a pack at its start. The other modules are *.mjs and are loaded when
 * somebody looks at a Seedance node, the settings or the tab; until then nothing is requested.
 */
import { app } from "../../scripts/app.js";

/** The nodes that make orders. */
const GENERATING = new Set([
  "SeedanceT2V",
  "SeedanceI2V",
  "SeedanceFrames",
  "SeedanceReference",
  "SeedanceV2V",
]);
/** Those that say something, and make no order of their own that could be compared. */
const OTHERS = new Set(["SeedanceTask", "SeedanceFinal", "SeedanceAsset", "SeedanceStoryboard"]);
const TAB = "seedance";
const ASSETS = "seedance-assets";
const PROVIDERS = [
  "AIHubMax",
  "BytePlus ModelArk",
  "Comfy",
  "EvoLink",
  "fal",
  "Gateway",
  "Leonardo.AI",
  "Lumenfall",
  "OpenRouter",
  "Replicate",
  "SinanCode",
  "UniAll",
  "Volcano Engine Ark",
];

/** @param {ComfyNode} node */
const generates = (node) => GENERATING.has(node.comfyClass ?? "");
/** @param {ComfyNode} node */
const isOurs = (node) => generates(node) || OTHERS.has(node.comfyClass ?? "");

/**
 * What draws a setting: an element that is filled as soon as its module is there.
 * @param {() => Promise<{ render: (place: HTMLElement) => Promise<void> }>} load
 */
function panel(load) {
  return () => {
    const place = document.createElement("div");
    place.className = "seedance seedance-panel";
    load()
      .then((module) => module.render(place))
      .catch((error) => place.replaceChildren(String(error?.message ?? error)));
    return place;
  };
}

/**
 * A tab of the sidebar, whose module is loaded when somebody opens it.
 * @param {string} id
 * @param {string} title
 * @param {string} icon
 * @param {() => Promise<{ render: (place: HTMLElement) => Promise<void>, destroy: () => void }>} load
 */
function addTab(id, title, icon, load) {
  /** @type {ReturnType<typeof load> | undefined} */
  let tab;
  app.extensionManager.registerSidebarTab({
    id,
    icon,
    title,
    tooltip: title,
    type: "custom",
    render(place) {
      tab = load();
      tab
        .then((module) => module.render(place))
        .catch((error) => place.replaceChildren(String(error?.message ?? error)));
    },
    destroy() {
      tab?.then((module) => module.destroy());
    },
  });
}

/**
 * Hide what the graph decides when it is queued, and let the classic rendering show advanced inputs
 * only on demand (*Show Advanced* in the node's menu), as Nodes 2.0 does. What is hidden keeps its
 * value, its place in saved workflows and its socket. Done before a saved workflow gives the node its
 * size.
 * @param {ComfyNode} node
 */
function fold(node) {
  const all = app.extensionManager?.setting?.get("Comfy.Node.AlwaysShowAdvancedWidgets");
  for (const widget of node.widgets ?? []) {
    if (/^decode_(frames|last_frame|audio)$/.test(widget.name)) {
      widget.hidden = true; // in the classic rendering
      widget.options.hidden = true; // in Nodes 2.0
    } else if (/** @type {any} */ (widget.options).advanced && !all) {
      widget.advanced = true;
    }
  }
  // Older pages keep the room of advanced inputs that they do not show.
  const { getLayoutWidgets: layout } = /** @type {any} */ (node);
  if (typeof layout !== "function" || !node.isWidgetVisible) return;
  /** @type {any} */ (node).getLayoutWidgets = function () {
    return layout.call(this).filter((/** @type {any} */ item) => this.isWidgetVisible(item));
  };
}

/** The menu's words; they are translated as soon as a node has loaded the translations. */
const menu = { compare: "Compare providers" };

/** @type {typeof import("./seedance/node/attach.mjs") | undefined} */
let nodes;

async function loadNodes() {
  const [attach, { ready, t }] = await Promise.all([
    import("./seedance/node/attach.mjs"),
    import("./seedance/words.mjs"),
  ]);
  await ready();
  menu.compare = t("compare.title");
  nodes = attach;
  return attach;
}

/** @param {ComfyNode} node */
async function compare(node) {
  const { open } = await import("./seedance/compare.mjs");
  await open(node);
}

/**
 * Let the template browser have titles, descriptions and moving pictures of our examples. What it asks
 * the server for goes on as before, also where this does not succeed.
 * @param {"getWorkflowTemplates" | "getCoreWorkflowTemplates"} name
 */
function describeTemplates(name) {
  const api = /** @type {any} */ (app.api);
  const first = api[name];
  if (typeof first !== "function") return;
  api[name] = async (/** @type {any[]} */ ...given) => {
    const answer = await first.apply(api, given);
    try {
      return await (await import("./seedance/templates.mjs"))[name](answer);
    } catch {
      return answer;
    }
  };
}
describeTemplates("getWorkflowTemplates");
describeTemplates("getCoreWorkflowTemplates");

app.registerExtension({
  name: "Seedance",
  // The published types know ComfyUI's own ids only.
  settings: /** @type {any[]} */ ([
    {
      id: "Seedance.Providers",
      category: ["Seedance", "Providers", "Keys"],
      // The settings search looks into names: the kinds of key, and those who give them.
      name: `API keys of providers: ${PROVIDERS.join(", ")}`,
      type: panel(() => import("./seedance/settings/keys.mjs")),
      defaultValue: null,
      sortOrder: 30,
    },
    {
      id: "Seedance.Gateway",
      category: ["Seedance", "Gateway", "Dialect"],
      name: "Gateway: address, dialect and models (new-api, one-api, Ark clones, queues)",
      type: panel(() => import("./seedance/settings/gateway.mjs")),
      defaultValue: null,
      sortOrder: 25,
    },
    {
      id: "Seedance.Budget",
      category: ["Seedance", "Budget", "Limits"],
      name: "Budget",
      type: panel(() => import("./seedance/settings/budget.mjs")),
      defaultValue: null,
      sortOrder: 20,
    },
    {
      id: "Seedance.Bucket",
      category: ["Seedance", "Own bucket", "Storage"],
      name: "Own bucket",
      type: panel(() => import("./seedance/settings/bucket.mjs")),
      defaultValue: null,
      sortOrder: 10,
    },
  ]),
  commands: [
    {
      id: "Seedance.ShowTasks",
      label: "Show Seedance tasks",
      icon: "pi pi-video",
      function: () => app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${TAB}`),
    },
    {
      id: "Seedance.ShowAssets",
      label: "Show Seedance assets",
      icon: "pi pi-users",
      function: () => app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${ASSETS}`),
    },
  ],

  setup() {
    // A sidecar is no workflow: dropped on the page, it gives a node with its order.
    document.addEventListener(
      "drop",
      (event) => {
        const ours = event.dataTransfer?.getData("application/x-seedance");
        if (ours) {
          event.preventDefault();
          event.stopImmediatePropagation();
          const { kind, file } = JSON.parse(ours);
          import("./page.mjs").then((page) => page.addLoader(kind, file, event));
          return;
        }
        const [file, ...others] = event.dataTransfer?.files ?? [];
        if (!file?.name.endsWith(".seedance.json") || others.length) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        import("./seedance/tasks/load.mjs").then((module) => module.loadSidecar(file));
      },
      true,
    );
    addTab(TAB, "Seedance", "pi pi-video", () => import("./seedance/tasks/tab.mjs"));
    addTab(ASSETS, "Seedance assets", "pi pi-users", () => import("./seedance/assets/tab.mjs"));
  },

  nodeCreated(node) {
    if (!isOurs(node)) return;
    fold(node);
    const line = document.createElement("div");
    line.className = "seedance seedance-line";
    let height = generates(node) ? 34 : 0; // of the line while it is empty
    const widget = /** @type {DOMNode} */ (node).addDOMWidget(
      "seedance_estimate",
      "seedance",
      line,
      {
        serialize: false,
        hideOnZoom: false,
        margin: 4,
        getMinHeight: () => height,
        getMaxHeight: () => height,
      },
    );
    widget.serialize = false; // in workflows; the option above is about prompts
    let isNew = true;
    const { onConfigure } = node;
    node.onConfigure = function (...values) {
      isNew = false;
      return onConfigure?.apply(this, values);
    };
    loadNodes()
      .then((module) => module.attach(node, line, (pixels) => (height = pixels), () => isNew))
      .catch((error) => console.error("Seedance:", error));
  },

  // The server has just put the pictures of an example there (nodes/examples.py); the lists of the
  // page are older.
  loadedGraphNode(node) {
    const list = node.comfyClass === "LoadImage" ? node.widgets?.[0] : undefined;
    const choices = list?.options.values;
    const name = String(list?.value);
    if (/^seedance_\w+\.png$/.test(name) && Array.isArray(choices) && !choices.includes(name))
      choices.push(name);
  },

  getNodeMenuItems(node) {
    if (!generates(node)) return [];
    return [{ content: menu.compare, callback: () => void compare(node) }];
  },

  /** ComfyUI's "refresh node definitions" puts the full lists back. */
  refreshComboInNodes() {
    nodes?.narrowAll();
  },
});
