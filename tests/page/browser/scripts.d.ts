/** ComfyUI serves /scripts/app.js, whichever way a module's relative path leads there. */
declare module "*/scripts/app.js" {
  export const app: import("@comfyorg/comfyui-frontend-types").ComfyApp;
}
