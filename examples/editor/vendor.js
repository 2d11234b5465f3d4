// What the page imports, in one file: `make` bundles it into static/vendor/editor.js.
export { EditorState } from "@codemirror/state";
export { EditorView, keymap } from "@codemirror/view";
export { basicSetup } from "codemirror";
export { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
export { WebsocketProvider } from "y-websocket";
export * as Y from "yjs";
