/** What the modules of web/ know of ComfyUI's page: the published types, under short names. */
import type * as Comfy from "@comfyorg/comfyui-frontend-types";

declare global {
  type ComfyApp = Comfy.ComfyApp;
  type ComfyNode = NonNullable<ReturnType<ComfyApp["graph"]["getNodeById"]>>;
  /** What ComfyUI adds to every node and the published types leave out. */
  type DOMNode = ComfyNode & {
    addDOMWidget(name: string, type: string, element: HTMLElement, options: object): ComfyWidget;
  };
  type ComfyWidget = NonNullable<ComfyNode["widgets"]>[number];

  interface NodeConstructor {
    nodeData?: { input?: { required?: object; optional?: object } };
  }

  interface Window {
    LiteGraph: {
      createNode(type: string): ComfyNode | null;
      registered_node_types: Record<string, unknown>;
    };
  }
}
