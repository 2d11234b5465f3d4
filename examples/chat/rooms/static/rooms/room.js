"use strict";

// One WebSocket that comes back by itself. Everything said is shown as text, never as markup.

const FIRST_WAIT = 500;      // milliseconds before the first new attempt
const LONGEST_WAIT = 15000;
const LOGIN_NEEDED = 4401;   // the consumer's close code for somebody who is not logged in
const KEPT = 500;            // lines on the page

const room = document.querySelector(".room");
const [log, status, form, input, button] = ["log", "status", "say", "text", "send"].map((id) => document.getElementById(id));

let socket = null;
let attempts = 0;
let timer = 0;
let wasOpen = false;
let atEnd = true;
let height = log.clientHeight;  // in pixels, as of the last time the page got another size
const seen = new Map();      // name -> {kind, visit} of the last that was told of somebody

function showStatus(state, text, link) {
  status.dataset.state = state;
  status.textContent = text;
  if (link) status.append(" ", Object.assign(document.createElement("a"), { href: link, textContent: "Log in" }));
  button.disabled = state !== "open";
}

function show(kind, name, text) {
  const line = document.createElement("li");
  line.className = kind;
  if (kind === "message") {
    line.append(Object.assign(document.createElement("b"), { textContent: name }), text);
    line.classList.toggle("mine", name === room.dataset.name);
  } else {
    line.textContent = name ? `${name} ${text}` : text;
  }
  log.append(line);
  while (log.children.length > KEPT) log.firstElementChild.remove();
  stayAtEnd();
}

const stayAtEnd = () => atEnd && (log.scrollTop = log.scrollHeight);

function connect() {
  clearTimeout(timer);
  seen.clear();
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  socket = new WebSocket(scheme + location.host + room.dataset.socket);
  socket.onopen = opened;
  socket.onmessage = (event) => {
    const { type, name, text, visit } = JSON.parse(event.data);
    if (type === "message") show(type, name, text);
    else if (isNews(type, name, visit)) show("note", name, type === "came" ? "came in" : "left");
  };
  socket.onclose = closed;
}

// Two servers may be heard in any order: a reload's "came" before its "left". A later visit has the higher number.
function isNews(kind, name, visit) {
  const last = seen.get(name);
  if (last && visit < last.visit) return false;
  seen.set(name, { kind, visit });
  return kind !== last?.kind;
}

function opened() {
  attempts = 0;
  if (wasOpen) show("note", "", "The connection is back. What was said meanwhile is not shown.");
  wasOpen = true;
  showStatus("open", "Connected");
}

function closed(event) {
  if (event.code === LOGIN_NEEDED) return showStatus("lost", "You are not logged in any more.", room.dataset.login);
  // Doubling, with chance: a thousand pages must not come back in the same moment.
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts) * (0.5 + Math.random() / 2);
  attempts += 1;
  showStatus("lost", wasOpen ? "Connection lost. Trying again …" : "No connection. Trying again …");
  timer = setTimeout(connect, wait);
}

function retryNow() {
  if (socket.readyState === WebSocket.CLOSED && status.dataset.state === "lost" && !status.querySelector("a")) connect();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ text }));
  input.value = "";
  input.focus();
});
log.addEventListener("scroll", () => {
  if (log.clientHeight !== height) return;  // nobody scrolled: the page has another size
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
});
// A phone's keyboard takes half of the page: the last line stays in sight.
new ResizeObserver(() => {
  height = log.clientHeight;
  stayAtEnd();
}).observe(log);
addEventListener("online", retryNow);
// A page that is left may be kept for the way back, its socket with it: leave the room all the same.
addEventListener("pagehide", () => {
  clearTimeout(timer);
  socket.onclose = null;
  socket.close();
});
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) retryNow(); });

connect();
