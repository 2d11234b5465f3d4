// A page in TypeScript that uses all that topics.d.ts declares. tsc must accept it, and refuse what is marked.
import { Client, TopicsError, applyDelta, connect, endpoints } from "./topics.js";
import type { Change, ClientInfo, Connection, LiveQuery, Position, Publication, State, Subscription } from "./topics.js";

interface Line {
  text: string;
}

const client: Connection = connect({ shared: false, token: "t", name: "typed", data: { a: 1 } });
const again: Connection = topics.connect();
const own: Connection = new Client(endpoints("https://example.com/"), {}).connect();
const states: State[] = ["connecting", "live", "catching up", "offline", "closed"];
const stop: () => void = client.on("state", ({ state, code, reason }) => {
  states.push(state);
  const told: [number | undefined, string | undefined] = [code, reason];
  return void told;
});
client.on("publication", ({ topic, data }) => void [topic.length, data]);
client.on("subscribed", ({ topic, recovered }) => void [topic, recovered && 1]);

const since: Position = { offset: 3, epoch: "e" };
const room: Subscription<Line> = client.subscribe<Line>("room:lobby", {
  since,
  joinLeave: true,
  delta: true,
  tags: { op: "", key: "k", cmp: "eq", val: "v" },
  on: {
    publication: ({ data, offset, tags, time, info }) => show(data.text, offset ?? 0, tags?.["k"], time, info?.user),
    subscribed: ({ recovered, wasRecovering }) => show(String(recovered && wasRecovering)),
    error: (error) => show(error.message, error.code),
  },
});
room.on("join", (info: ClientInfo) => show(info.client));
room.on("unsubscribed", ({ code, reason }) => show(reason, code));

async function use(): Promise<number> {
  await room.publish({ text: "hi" });
  await room.publishEphemeral({ typing: true });
  const renamed = await room.rpc<{ title: string }>("rename", { title: "new" });
  const page = await room.history({ limit: 10, since, reverse: true });
  const lines: Publication<Line>[] = page.publications;
  const present: Record<string, ClientInfo> = await room.presence();
  const { clients, users } = await room.presenceStats();
  const sum = await client.rpc<number>("add", { numbers: [1, 2] });
  await client.publish("room:lobby", { text: "hi" });
  room.unsubscribe();
  show(renamed.title, lines.length, page.epoch, Object.keys(present), room.state === "subscribed");
  return clients + users + sum + room.offset;
}

interface Order {
  number: number;
}
const orders: LiveQuery<Order> = client.live<Order>("orders:open:7");
const ended: () => void = orders.on("rows", ({ rows, changes }) => {
  const gone: Change<Order>[] = changes?.filter(({ op }) => op === "delete") ?? [];
  show(rows.size, gone[0]?.key, [...rows.values()][0]?.number);
});
orders.into(document.createElement("ul"), (order, key, node: HTMLLIElement | undefined) => {
  const item = node ?? document.createElement("li");
  item.textContent = `${key}: ${order.number}`;
  return item;
});
ended();
orders.unsubscribe();

function show(...values: unknown[]): void {
  console.log(...values);
}

use().catch((error: unknown) => {
  if (error instanceof TopicsError && !error.temporary) show(error.code, error.message);
});
const whole: Uint8Array = applyDelta(new Uint8Array(), new Uint8Array());
stop();
own.disconnect();
again.disconnect();
show(whole, room.topic);

// @ts-expect-error: a line has a text
room.publish({ words: "hi" });
// @ts-expect-error: there is no such event
room.on("published", () => {});
// @ts-expect-error: a state is one of five
const wrong: State = "online";
// @ts-expect-error: what a subscription is is not set by a page
room.offset = 5;
// @ts-expect-error: a delta is bytes
applyDelta("a", "b");
// @ts-expect-error: rows are changed by the server only
orders.rows.set(1, { number: 1 });
show(wrong);
