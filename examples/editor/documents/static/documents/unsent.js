// What somebody wrote and the server has not confirmed: the browser keeps it, in case the page is left before.

import { Y } from "../vendor/editor.js";

const [SYNC, STEP_1, UPDATE] = [0, 0, 2]; // messages of the y-protocols
const NOTHING = 2; // bytes of an update without changes

/** Return what is behind the two numbers and the length that a message of the protocol `sync` begins with. */
function bytesOf(message) {
  let at = 2;
  while (message[at++] & 128);
  return message.subarray(at);
}

const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const asText = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const asBytes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Return the browser's storage, or nothing where it is switched off. */
function storage() {
  try {
    return self.localStorage;
  } catch {
    return null;
  }
}

/**
 * Keep what is written into a document until the server has it; what an earlier page could not send is in it again.
 *
 * The server sends an update back to who wrote it when the database has it. What was written offline goes with the answer
 * to what the server asks at each connection, and comes back as one update.
 *
 * @param {object} provider of y-websocket, not connected yet
 * @param {string} name of the user and the document, for the storage
 * @param {(count: number) => void} changed gets how many updates are not confirmed, when that changes
 */
export function keepUnsent(provider, name, changed) {
  const places = storage();
  const own = `${name}/${crypto.getRandomValues(new Uint32Array(2)).join("-")}`; // another tab has its own
  const left = Object.keys(places ?? {}).filter((key) => key.startsWith(`${name}/`)).map((key) => [key, places[key]]);
  let unsent = left.map(([, text]) => asBytes(text));
  let answer = null; // to what the server asked, and what was unsent then
  let kept = true;

  const merge = () => unsent.length > 1 && (unsent = [Y.mergeUpdates(unsent)]);

  function keep() {
    try {
      if (unsent.length) places.setItem(own, asText(Y.mergeUpdates(unsent)));
      else places.removeItem(own);
      kept = true;
    } catch {
      kept = false; // the storage is full, or there is none
    }
    changed(unsent.length);
  }

  function confirmed(updates) {
    if (!updates.length) return;
    unsent = unsent.filter((update) => !updates.includes(update));
    keep();
  }

  function received(message) {
    const bytes = bytesOf(message);
    if (message[1] === STEP_1) answer = { bytes: Y.encodeStateAsUpdate(provider.doc, bytes), updates: unsent };
    const nothing = message[1] === STEP_1 && answer.bytes.length === NOTHING;
    const echo = message[1] === UPDATE;
    if (nothing || (echo && answer && equal(answer.bytes, bytes))) confirmed(answer.updates);
    else if (echo) confirmed(unsent.filter((update) => equal(update, bytes)));
  }

  const take = provider.messageHandlers[SYNC];
  provider.messageHandlers[SYNC] = (encoder, decoder, ...more) => {
    take(encoder, decoder, ...more);
    const [, fromServer] = more; // and not from another tab
    if (fromServer) received(decoder.arr);
  };
  provider.doc.on("update", (update, origin) => {
    if (origin === provider) return;
    unsent = [...unsent, update];
    if (!provider.wsconnected) merge();
    keep();
  });
  provider.on("status", ({ status }) => status === "disconnected" && merge());
  addEventListener("beforeunload", (event) => !kept && unsent.length && event.preventDefault());
  for (const update of unsent) Y.applyUpdate(provider.doc, update, provider);
  merge();
  keep();
  // A page that is still open may have written more since: that is for it to send.
  if (kept) for (const [key, text] of left) if (places[key] === text) places.removeItem(key);
}
