// A match: snapshots come 20 times a second; others are shown a moment late and smoothly, one's own ship at once.

import { colour, draw, placeOf } from "./drawing.js";
import { OwnShip } from "./own_ship.js";
import { decode, LENGTH, TICKS } from "./rules.js";

const LATE = 100; // milliseconds that others are shown late, so that there are two snapshots to draw between
const REPEATED = 1000; // milliseconds between inputs that change nothing: a new worker hears of the match by them
const ASKED_AGAIN = 1000; // milliseconds between questions for the name of somebody who has just come
const STATES = {
  connecting: "Connecting …",
  live: "Live",
  "catching up": "Back. Catching up …",
  offline: "Offline. Trying again …",
  closed: "Not connected any more",
};
const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1],
};

const find = (id) => document.getElementById(id);
const { topic, me, over } = JSON.parse(find("facts").textContent);
const names = new Map();
const asked = new Set();
const held = new Set(); // keys
const own = new OwnShip();
let snapshots = []; // the last ones, with when they came

const client = topics.connect();
const match = client.subscribe(topic, { delta: true });
client.on("state", ({ state }) => showState(state));
showState(client.state);
match.on("publication", ({ data }) => take(decode(data)));
match.on("subscribed", countWatchers);
if (over) end();

function showState(state) {
  find("status").dataset.state = state;
  find("status").textContent = STATES[state];
}

function take(world) {
  if (world.tick < newest()?.tick && world.tick > TICKS) return;
  snapshots = [...snapshots.slice(-4), { ...world, at: performance.now() }];
  if (world.ships.has(me)) own.correct(world.ships.get(me));
  askForNames([...world.ships.keys()]);
  showScores(world);
  const left = Math.ceil(Math.max(LENGTH - world.tick, 0) / TICKS);
  find("clock").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (world.tick >= LENGTH) end();
}

const newest = () => snapshots.at(-1);
const playing = () => newest()?.ships.has(me) && newest().tick < LENGTH;

async function askForNames(users) {
  const unknown = users.filter((user) => !asked.has(user));
  if (!unknown.length) return;
  unknown.forEach((user) => asked.add(user));
  const answer = await match.rpc("names", { players: unknown }).catch(() => ({})); // offline: asked again, as who is not known yet
  for (const [user, name] of Object.entries(answer)) names.set(Number(user), name);
  setTimeout(() => unknown.forEach((user) => names.has(user) || asked.delete(user)), ASKED_AGAIN);
}

function showScores({ ships }) {
  const ranked = [...ships].sort(([, a], [, b]) => b.score - a.score);
  const text = ranked.map(([user, { score }]) => `${user} ${score} ${names.get(user)}`).join();
  if (find("scores").dataset.text === text) return;
  find("scores").dataset.text = text;
  find("scores").replaceChildren(
    ...ranked.map(([user, { score }]) => {
      const line = document.createElement("li");
      line.className = user === me ? "me" : "";
      const mark = document.createElement("i");
      mark.style.background = colour(user);
      line.append(mark, `${names.get(user) ?? "…"} ${score}`);
      return line;
    }),
  );
}

function end() {
  find("news").textContent = "The match is over.";
  find("join").hidden = true;
}

/** Return where the others were a moment ago, between two snapshots. */
function othersAt(time) {
  const after = snapshots.findIndex(({ at }) => at >= time);
  const to = snapshots[after < 0 ? snapshots.length - 1 : after];
  const from = snapshots[Math.max(after - 1, 0)] ?? to;
  const share = to.at === from.at ? 1 : Math.min(Math.max((time - from.at) / (to.at - from.at), 0), 1);
  return [...to.ships].map(([user, ship]) => {
    const before = from.ships.get(user) ?? ship;
    return [user, { x: before.x + (ship.x - before.x) * share, y: before.y + (ship.y - before.y) * share }];
  });
}

let drawn = performance.now();
function frame(now) {
  if (newest()) {
    if (playing()) own.fly(Math.min(now - drawn, 100) / 1000);
    const ships = othersAt(now - LATE).map(([user, place]) => [user, user === me && own.place ? own.place : place]);
    draw(newest().gems, ships, me, names);
  }
  find("join").hidden = !me || over || client.state !== "live" || Boolean(newest() && (newest().ships.has(me) || newest().tick >= LENGTH));
  drawn = now;
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

function steer(dx, dy) {
  const input = playing() && own.turn(dx, dy);
  if (input) match.rpc("steer", input).catch(() => {}); // offline, or the worker is too busy: the next input counts instead
}
setInterval(() => playing() && match.rpc("steer", own.input()).catch(() => {}), REPEATED);

function steerByKeys() {
  const directions = [...held].map((code) => KEYS[code]);
  const sum = (axis) => Math.sign(directions.reduce((total, direction) => total + direction[axis], 0));
  steer(sum(0), sum(1));
}
addEventListener("keydown", (event) => {
  if (!KEYS[event.code] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  held.add(event.code);
  steerByKeys();
});
addEventListener("keyup", ({ code }) => held.delete(code) && steerByKeys());
addEventListener("blur", () => held.clear() || steerByKeys());

/** Fly to the finger, in the nearest of eight directions. */
function steerByPointer(event) {
  if (!event.buttons || !own.place) return;
  const place = placeOf(event);
  const angle = Math.round(Math.atan2(place.y - own.place.y, place.x - own.place.x) / (Math.PI / 4)) * (Math.PI / 4);
  steer(Math.round(Math.cos(angle)), Math.round(Math.sin(angle)));
}
find("field").addEventListener("pointerdown", (event) => {
  event.target.setPointerCapture(event.pointerId);
  steerByPointer(event);
});
find("field").addEventListener("pointermove", steerByPointer);
for (const ending of ["pointerup", "pointercancel"]) find("field").addEventListener(ending, () => steer(0, 0));

find("join").addEventListener("click", async () => {
  try {
    await match.rpc("join");
    find("news").textContent = "";
    find("field").focus();
  } catch (error) {
    find("news").textContent = error.message;
  }
});

async function countWatchers() {
  const { clients } = await match.presenceStats().catch(() => ({ clients: 0 }));
  find("watching").textContent = clients ? `${clients} here` : "";
}
setInterval(countWatchers, 5000);
