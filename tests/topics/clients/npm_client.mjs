// The client of npm, told what to do by lines of JSON and telling what happened in lines of JSON.
import { createRequire } from "node:module";
import readline from "node:readline";

const [folder, options] = [process.argv[2], JSON.parse(process.argv[3])];
const require = createRequire(folder + "/");
const { Centrifuge } = require("centrifuge");

const tell = (event, data = {}) => console.log(JSON.stringify({ event, ...data }));
const client = new Centrifuge(options.transports, {
  emulationEndpoint: options.emulation,
  // Node has neither: what browsers have of their own.
  websocket: require("ws"),
  eventsource: require("eventsource").EventSource,
  minReconnectDelay: 50,
  maxReconnectDelay: 200,
});
client.on("connected", (ctx) => tell("connected", { transport: ctx.transport, client: ctx.client }));
client.on("disconnected", (ctx) => tell("disconnected", { code: ctx.code, reason: ctx.reason }));
client.on("publication", (ctx) => tell("server publication", { topic: ctx.channel, data: ctx.data }));
client.on("error", (ctx) => tell("error", { code: ctx.error.code, message: ctx.error.message }));

const subscribe = (topic, settings) => {
  const subscription = client.newSubscription(topic, settings);
  subscription.on("publication", (ctx) => tell("publication", { data: ctx.data, offset: ctx.offset }));
  subscription.on("subscribed", (ctx) =>
    tell("subscribed", { recovered: ctx.recovered, wasRecovering: ctx.wasRecovering }));
  subscription.on("unsubscribed", (ctx) => tell("unsubscribed", { code: ctx.code }));
  subscription.on("join", (ctx) => tell("join", { client: ctx.info.client }));
  subscription.on("leave", (ctx) => tell("leave", { client: ctx.info.client }));
  subscription.subscribe();
};
const actions = {
  connect: () => client.connect(),
  disconnect: () => client.disconnect(),
  subscribe: ({ topic, settings }) => subscribe(topic, settings),
  publish: ({ topic, data }) => client.publish(topic, data),
  rpc: ({ method, data }) => client.rpc(method, data),
  history: ({ topic, settings }) => client.history(topic, settings),
  presence: ({ topic }) => client.presence(topic),
};
for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    tell("done", { action: command.action, result: (await actions[command.action](command)) ?? null });
  } catch (error) {
    tell("failed", { action: command.action, code: error.code, message: error.message });
  }
}
process.exit(0);
