// Which names topics.d.ts declares, of the module and of its two classes, that topics.js does not have; and the other way round.
import { createRequire } from "node:module";

const [folder, types, client] = process.argv.slice(2);
const ts = createRequire(folder + "/")("typescript");
const program = ts.createProgram([types], { lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], noEmit: true });
const checker = program.getTypeChecker();
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(types)));
const members = (name) => {
  const symbol = exported.find((each) => each.name === name);
  return checker.getDeclaredTypeOfSymbol(symbol).getProperties().map((each) => each.name);
};

globalThis.self = globalThis;
const module = await import(client);
const made = new module.Client({ websocket: "ws://[::1]/", sse: "", emulation: "" });
const instances = { Client: made, Connection: made, Subscription: new module.Subscription(made, "t") };
const values = exported.filter((each) => each.flags & ts.SymbolFlags.Value).map((each) => each.name);
const missing = values.filter((name) => !(name in module));
for (const [name, instance] of Object.entries(instances)) {
  missing.push(...members(name).filter((member) => !(member in instance)).map((member) => `${name}.${member}`));
}
console.log(JSON.stringify({ missing, undeclared: Object.keys(module).filter((name) => !values.includes(name)) }));
process.exit(0);
