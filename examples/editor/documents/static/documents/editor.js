// A document: CodeMirror shows it, yjs merges what people write, y-websocket carries it.

import { basicSetup, EditorState, EditorView, keymap, WebsocketProvider, yCollab, Y, yUndoManagerKeymap } from "../vendor/editor.js";
import { keepUnsent } from "./unsent.js";

const STATES = {
  connecting: "Connecting …",
  "catching up": "Connected. Catching up …",
  live: "Live",
  offline: "Offline. You can go on writing; this browser keeps it and sends it when you are back.",
  unconfirmed: "The server does not answer. You can go on writing; this browser keeps it.",
  refused: "You may not write here any more. What you wrote since is in this browser only.",
  closed: "You may not read this document any more.",
};

const PATIENCE = 5000; // milliseconds until a server that confirms nothing is called silent
const [AUTH, QUERY_AWARENESS] = [2, 3]; // messages of y-websocket: what was written is not taken; who is here?

const find = (id) => document.getElementById(id);
const { pk, user, writes } = JSON.parse(find("facts").textContent);
const text = new Y.Doc();
const address = `${location.origin.replace(/^http/, "ws")}/ws/documents`;
const provider = new WebsocketProvider(address, String(pk), text, { maxBackoffTime: 5000, connect: false });

function showState(state) {
  if (find("status").dataset.state === state) return;
  find("status").dataset.state = state;
  find("status").textContent = STATES[state];
}
provider.on("sync", (synced) => synced && showState("live"));
// Say anew who is here, when somebody comes: what they heard before their connection was lost is no news to them.
provider.messageHandlers[QUERY_AWARENESS] = () => provider.awareness.setLocalState(provider.awareness.getLocalState());
provider.on("status", ({ status }) => {
  if (status === "connected") showState("catching up");
  if (status === "disconnected" && provider.shouldConnect) showState("offline");
});
provider.on("connection-close", (event) => event?.code === 4403 && showState("closed"));
/** Do not wait until the silence of a socket tells that its network has gone, nor for the next attempt when it is back. */
function reconnect() {
  if (!provider.shouldConnect) return;
  provider.disconnect();
  provider.connect();
}
addEventListener("offline", () => {
  reconnect();
  if (provider.shouldConnect) showState("offline");
});
addEventListener("online", () => provider.wsconnected || reconnect());

let patience = 0;
let unsent = 0;
/** Say so if the server confirms nothing; the number is for who wonders, and for tests. */
function showUnsent(count) {
  const confirmed = !count || count < unsent;
  find("status").dataset.unsent = unsent = count;
  if (confirmed) {
    clearTimeout(patience);
    patience = 0;
    if (find("status").dataset.state === "unconfirmed") showState("live");
  }
  if (count) patience ||= setTimeout(() => provider.synced && showState("unconfirmed"), PATIENCE);
}
if (writes) {
  keepUnsent(provider, `editor/${user.name}/${pk}`, showUnsent);
  provider.messageHandlers[AUTH] = () => showState("refused");
}

provider.awareness.setLocalStateField("user", user);
let here = new Set();
provider.awareness.on("change", () => {
  const names = [...provider.awareness.getStates().values()].map((state) => state.user?.name).filter(Boolean);
  const before = here;
  here = new Set(names);
  find("present").textContent = [...here].sort().join(", ");
  announce(before);
});

/** Have screen readers say who came and who left, and not who is here at each change. */
function announce(before) {
  const came = [...here].filter((other) => !before.has(other) && other !== user.name).map((other) => `${other} is here.`);
  const left = [...before].filter((other) => !here.has(other) && other !== user.name).map((other) => `${other} has left.`);
  if (came.length + left.length) find("news").textContent = [...came, ...left].join(" ");
}

const content = text.getText("content");
const view = new EditorView({
  parent: find("text"),
  state: EditorState.create({
    doc: content.toString(),
    extensions: [
      keymap.of(yUndoManagerKeymap),
      basicSetup,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": "Text of the document" }),
      EditorState.readOnly.of(!writes),
      EditorView.editable.of(writes),
      yCollab(content, provider.awareness),
    ],
  }),
});
if (writes) view.focus();
provider.connect();
