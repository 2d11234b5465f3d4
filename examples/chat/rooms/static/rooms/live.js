// A room as a topic: the client comes back by itself, and what was said meanwhile is there.

import { Pending } from "./pending.js";

const PAGE = 50; // lines that are read at a time
const TYPING_SHOWN = 2500; // milliseconds
const SILENCE = 500; // milliseconds after old lines were shown, until screen readers say new ones
const STATES = {
  connecting: ["connecting", "Connecting …"],
  live: ["open", "Connected"],
  "catching up": ["connecting", "Back. Reading what was said meanwhile …"],
  offline: ["lost", "Connection lost. What you write is sent when it is back."],
  closed: ["lost", "You are not connected any more."],
};

const find = (id) => document.getElementById(id);
const [log, form, input, button] = ["log", "say", "text", "send"].map(find);
const page = document.querySelector(".room");
const people = new Map(); // client id -> name
const typists = new Map(); // name -> timer
const pending = new Pending(`chat ${page.dataset.name} ${page.dataset.topic}`);
let atEnd = true;
let first = null; // the position of the first line on the page; null: there is nothing before it
let newest = 0; // the offset of the last one
let read = Number(page.dataset.read);
let waiting = []; // what is published before the newest lines are shown; null: they are

const client = topics.connect();
const room = client.subscribe(page.dataset.topic, { joinLeave: true });

function showState({ state, reason }) {
  const [look, text] = STATES[state];
  find("status").dataset.state = look;
  find("status").textContent = state === "closed" && reason ? `${text} (${reason})` : text;
  button.disabled = state === "closed";
}

function element(name, text, look) {
  const line = document.createElement("li");
  line.className = look;
  line.classList.toggle("mine", name === page.dataset.name);
  const who = document.createElement("b");
  who.textContent = name;
  line.append(who, text); // as text, never as markup
  return line;
}

function show({ data: { name, text, key }, offset }) {
  const own = key && name === page.dataset.name;
  if (own) pending.remove(key);
  const line = (own && pendingLine(key)) || element(name, text, "message");
  line.classList.remove("pending");
  const next = log.querySelector(".pending");
  // A line that is in its place stays there: screen readers would say it a second time.
  if (!line.isConnected || line.nextElementSibling !== next) log.insertBefore(line, next);
  newest = offset;
  stopTyping(name);
  scroll();
  noteReading();
}

const scroll = () => atEnd && (log.scrollTop = log.scrollHeight);

function showPending({ key, text }) {
  const line = element(page.dataset.name, text, "message pending");
  line.dataset.key = key;
  log.append(line);
  scroll();
}

const pendingLine = (key) => log.querySelector(`.pending[data-key="${CSS.escape(key)}"]`);

/** Show old lines: screen readers say only what is new. */
function quietly(change) {
  log.ariaLive = "off";
  change();
  setTimeout(() => (log.ariaLive = "polite"), SILENCE);
}

/** Tell the server how far this person has read, when there is somebody who looks; once more after the answer. */
async function noteReading() {
  if (document.hidden || newest <= read || noteReading.busy) return;
  noteReading.busy = true;
  const offset = newest;
  try {
    await room.rpc("read", { offset });
    read = offset;
    log.dataset.read = offset;
  } catch {
    return; // the connection went: what is shown when it is back is noted then
  } finally {
    noteReading.busy = false;
  }
  noteReading();
}

/** Read the lines before the first one on the page. */
async function showEarlier() {
  if (!first) return;
  const since = first;
  first = null;
  const { publications, epoch } = await room.history({ limit: PAGE, reverse: true, since });
  const height = log.scrollHeight;
  quietly(() => log.prepend(...publications.toReversed().map(({ data }) => element(data.name, data.text, "message"))));
  if (publications.length === PAGE) first = { offset: publications.at(-1).offset, epoch };
  log.scrollTop += log.scrollHeight - height;
}

const showPeople = () => (find("present").textContent = [...new Set(people.values())].sort().join(", "));

function showTyping() {
  const names = [...typists.keys()];
  find("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing …` : "";
}

function startTyping(name) {
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(() => stopTyping(name), TYPING_SHOWN));
  showTyping();
}

function stopTyping(name) {
  clearTimeout(typists.get(name));
  typists.delete(name);
  showTyping();
}

/** Show the newest lines, with a mark before what is new to this person. */
async function showNewest() {
  waiting ??= [];
  const { publications, epoch } = await room.history({ limit: PAGE, reverse: true });
  const last = publications[0]?.offset ?? 0;
  quietly(() => {
    log.replaceChildren();
    for (const publication of publications.reverse()) {
      if (read && publication.offset > read && !log.querySelector(".new") && log.children.length)
        log.insertAdjacentHTML("beforeend", '<li class="new">New</li>');
      show(publication);
    }
    waiting.filter(({ offset }) => offset > last).forEach(show);
    pending.lines.forEach(showPending);
  });
  waiting = null;
  first = publications.length === PAGE ? { offset: publications[0].offset, epoch } : null;
}

async function subscribed({ recovered }) {
  if (!recovered || waiting) await showNewest();
  people.clear();
  for (const [id, { conn_info: info }] of Object.entries(await room.presence())) people.set(id, info.name);
  showPeople();
  noteReading();
  flush();
}

function flush() {
  pending.flush(
    ({ text, key }) => room.rpc("say", { text, key }),
    ({ key }, error) => {
      pendingLine(key)?.remove();
      find("status").textContent = error.message;
    },
  );
}

room.on("subscribed", (detail) => subscribed(detail).catch(() => {})); // the connection went again: it will be back
room.on("publication", ({ data, tags, info, offset }) => {
  if (!tags?.ephemeral) waiting ? waiting.push({ data, offset }) : show({ data, offset });
  else if (info.conn_info.name !== page.dataset.name) startTyping(info.conn_info.name);
});
room.on("join", ({ client: id, conn_info: info }) => {
  people.set(id, info.name);
  showPeople();
});
room.on("leave", ({ client: id }) => {
  people.delete(id);
  showPeople();
});
room.on("unsubscribed", () => location.assign(page.dataset.login)); // logged out, or the room is gone
client.on("state", showState);
showState({ state: client.state });

input.addEventListener("input", () => room.publishEphemeral("typing").catch(() => {}));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || button.disabled) return;
  input.value = "";
  input.focus();
  showPending(pending.add(text));
  if (client.state === "live") flush();
});
document.addEventListener("visibilitychange", noteReading);
log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (log.scrollTop < 100) showEarlier().catch(() => {}); // the connection went again: it will be back
});
