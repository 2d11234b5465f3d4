// Another implementation of the format: reads cases as JSON, writes what it makes of them.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";

const require = createRequire(process.argv[2] + "/package.json");
const { applyDelta, createDelta } = await import(pathToFileURL(require.resolve("fossil-delta")));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (made) => Buffer.from(made).toString("base64");
const cases = JSON.parse(readFileSync(0, "utf8"));
const answers = cases.map(({ source, target, delta }) => ({
  applied: text(applyDelta(bytes(source), bytes(delta))),
  delta: text(createDelta(bytes(source), bytes(target))),
}));
process.stdout.write(JSON.stringify(answers));
