// Drawings: `make docs` bundles it into _static/vendor/mermaid.js.
export { default } from "mermaid";
