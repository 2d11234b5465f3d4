#!/bin/sh
# npm's centrifuge 5.8.0 for Protobuf takes any value as `data`, as its types say, and as with JSON. But a value that is neither bytes nor
# text becomes no data: an object or a number leaves as an empty publication, without an error. And text is read as Base64, whatever
# it is, so that other bytes leave (in browsers most texts are a "transport write error"). A server should refuse a
# publication without data.
#
# Seen, the data that a server gets for each, in hexadecimal:
#   {"42":"","{\"a\":1}":"","[104,105]":"6869","\"aGk=\"":"6869","\"hello\"":"85e965"}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts centrifuge@5.8.0 ws@8.18.3 >/dev/null
cat > probe.cjs <<'PROBE'
const { WebSocketServer, WebSocket } = require("ws");
const { Centrifuge } = require("centrifuge/build/protobuf");

const field = (number, value) =>
  typeof value === "number" ? [number << 3, value] : [(number << 3) | 2, value.length, ...value];
const framed = (reply) => Buffer.from([reply.length, ...reply]);

/** Fields by their numbers; none here has a number or a length above 127. */
function read(message) {
  const found = {};
  for (let at = 0; at < message.length; ) {
    const [number, type, value] = [message[at] >> 3, message[at] & 7, message[at + 1]];
    found[number] = type ? message.subarray(at + 2, at + 2 + value) : value;
    at += type ? 2 + value : 2;
  }
  return found;
}

const got = [];
const server = new WebSocketServer({ port: 0, handleProtocols: () => "centrifuge-protobuf" });
server.on("connection", (socket) =>
  socket.on("message", (frame) => {
    const { 1: id, 4: connect, 7: publish } = read(frame.subarray(1));
    if (publish) got.push(Buffer.from(read(publish)[2] ?? "").toString("hex"));
    socket.send(framed([...field(1, id), ...(connect ? field(5, field(1, Buffer.from("c"))) : field(8, []))]));
  }));

(async () => {
  const client = new Centrifuge(`ws://127.0.0.1:${server.address().port}`, { websocket: WebSocket });
  client.connect();
  await client.ready();
  const seen = {};
  for (const data of [{ a: 1 }, 42, [104, 105], "aGk=", "hello"]) {
    const failed = await client.publish("news", data).then(() => "", (error) => error.message);
    seen[JSON.stringify(data)] = failed || got.pop();
  }
  const expected = '{"42":"","{\\"a\\":1}":"","[104,105]":"6869","\\"aGk=\\"":"6869","\\"hello\\"":"85e965"}';
  console.log("saw     ", JSON.stringify(seen));
  console.log("expected", expected);
  process.exit(JSON.stringify(seen) === expected ? 0 : 1);
})();
PROBE
node probe.cjs
