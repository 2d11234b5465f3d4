// A room as a topic: the client comes back by itself, and what was said meanwhile is there.

const TYPING_SHOWN = 2500; // milliseconds
const KEPT = 500; // lines on the page
const STATES = {
  connecting: ["connecting", "Connecting …"],
  live: ["open", "Connected"],
  "catching up": ["connecting", "Back. Reading what was said meanwhile …"],
  offline: ["lost", "Connection lost. Trying again …"],
  closed: ["lost", "You are not connected any more."],
};

const find = (id) => document.getElementById(id);
const [log, form, input, button] = ["log", "say", "text", "send"].map(find);
const page = document.querySelector(".room");
const people = new Map(); // client id -> name
const typists = new Map(); // name -> timer
let atEnd = true;

const client = topics.connect();
const room = client.subscribe(page.dataset.topic, { joinLeave: true });

function showState({ state, reason }) {
  const [look, text] = STATES[state];
  find("status").dataset.state = look;
  find("status").textContent = state === "closed" && reason ? `${text} (${reason})` : text;
  button.disabled = state !== "live";
}

function show({ name, text }) {
  const line = document.createElement("li");
  line.className = "message";
  line.classList.toggle("mine", name === page.dataset.name);
  const who = document.createElement("b");
  who.textContent = name;
  line.append(who, text); // as text, never as markup
  log.append(line);
  while (log.children.length > KEPT) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
  stopTyping(name);
}

function showPeople() {
  find("present").textContent = [...new Set(people.values())].sort().join(", ");
}

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

async function subscribed({ recovered }) {
  if (!recovered) {
    const { publications } = await room.history();
    log.replaceChildren();
    publications.forEach(({ data }) => show(data));
  }
  people.clear();
  for (const [id, { conn_info: info }] of Object.entries(await room.presence())) people.set(id, info.name);
  showPeople();
}

room.on("subscribed", (detail) => subscribed(detail).catch(() => {})); // the connection went again: it will be back
room.on("publication", ({ data, tags, info }) => {
  if (!tags?.ephemeral) show(data);
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
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || button.disabled) return;
  input.value = "";
  input.focus();
  try {
    await room.rpc("say", { text });
  } catch {
    input.value = text; // it was not said: keep it
  }
});
log.addEventListener("scroll", () => (atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60));
