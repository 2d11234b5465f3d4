#!/bin/sh
# Every subscribe command of npm's centrifuge 5.8.0 asks for numbers in the place of channels' names (`flag` bit 0, channel compaction).
# As JSON it finds the subscription of a number. As Protobuf it does not: protobufjs reads a number of 64 bits as an object where
# `long` is installed, as it is with it, and the client compares two such objects by identity. Each publication is passed over
# without a word; named by the channel they arrive. A server must not grant numbers to Protobuf clients.
#
# Seen, what a subscriber hears of one publication:
#   {"json, by name":["hi"],"json, by number":["hi"],"protobuf, by name":["hi"],"protobuf, by number":[]}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts centrifuge@5.8.0 ws@8.18.3 >/dev/null
cat > probe.cjs <<'PROBE'
const { WebSocketServer, WebSocket } = require("ws");
const clients = { json: require("centrifuge"), protobuf: require("centrifuge/build/protobuf") };

// What a server of the protocol (version 2) says: to connect, to subscribe, and one publication.
const field = (number, value) =>
  typeof value === "number" ? [number << 3, value] : [(number << 3) | 2, value.length, ...value];
const framed = (reply) => Buffer.from([reply.length, ...reply]);
const spoken = {
  json: (number) => [
    '{"id":1,"connect":{"client":"c","version":"1"}}',
    JSON.stringify({ id: 2, subscribe: number ? { id: number } : {} }),
    JSON.stringify({ push: { ...(number ? { id: number } : { channel: "news" }), pub: { data: "hi" } } }),
  ],
  protobuf: (number) => [
    framed([...field(1, 1), ...field(5, [...field(1, Buffer.from("c")), ...field(2, Buffer.from("1"))])]),
    framed([...field(1, 2), ...field(6, number ? field(14, number) : [])]),
    framed(field(4, [...(number ? field(1, number) : field(2, Buffer.from("news"))),
                     ...field(4, field(4, Buffer.from('"hi"')))])),
  ],
};

const commands = {
  json: (frame) => String(frame).trim().split("\n"),
  protobuf: function* (frame) {
    for (let at = 0; at < frame.length; at += 1 + frame[at]) yield at;  // none here has 128 bytes
  },
};

async function heard(format, number) {
  const server = new WebSocketServer({ port: 0, handleProtocols: () => "centrifuge-protobuf" });
  const [connected, subscribed, published] = spoken[format](number);
  server.on("connection", (socket) => {
    const answers = [[connected], [subscribed, published]];  // connect, then subscribe, in one frame or in two
    socket.on("message", (frame) => {
      for (const _ of commands[format](frame)) (answers.shift() ?? []).forEach((each) => socket.send(each));
    });
  });
  const client = new clients[format].Centrifuge(`ws://127.0.0.1:${server.address().port}`, { websocket: WebSocket });
  const subscription = client.newSubscription("news"), found = [];
  subscription.on("publication", ({ data }) => found.push(typeof data === "string" ? data : JSON.parse(Buffer.from(data))));
  const ready = new Promise((resolve) => subscription.on("subscribed", resolve));
  subscription.subscribe();
  client.connect();
  await ready;
  await new Promise((resolve) => setTimeout(resolve, 300));
  client.disconnect();
  server.close();
  return found;
}

(async () => {
  const seen = {};
  for (const format of ["json", "protobuf"]) {
    seen[`${format}, by name`] = await heard(format, 0);
    seen[`${format}, by number`] = await heard(format, 7);
  }
  const expected = '{"json, by name":["hi"],"json, by number":["hi"],"protobuf, by name":["hi"],"protobuf, by number":[]}';
  console.log("saw     ", JSON.stringify(seen));
  console.log("expected", expected);
  process.exit(JSON.stringify(seen) === expected ? 0 : 1);
})();
PROBE
node probe.cjs
