// The page subscribes to the instruments that are on the screen, and draws what is new ten times a second.

import { plot, range, sparkline } from "./plot.js";

const SPAN = 60_000; // milliseconds that are drawn
const TURN = 100; // milliseconds between two drawings
const STAYS = 150; // milliseconds that a row is on the screen, or gone, before its topic is
const STATES = {
  connecting: "Connecting …",
  live: "Live",
  "catching up": "Back. Catching up …",
  offline: "Offline. Trying again …",
  closed: "Not connected any more",
};

const find = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 46.01rem)"); // as in the style sheet: narrow pages show no lines in their rows
const json = (id) => JSON.parse(find(id).textContent);
const starred = new Set(json("stars"));
const withStars = Boolean(find("starred"));
const rows = new Map(); // symbol -> row
const changed = new Set(); // rows with a price that is not drawn yet
let chosen = null;
let received = 0;
let leftOut = 0; // prices that newer ones have overtaken on the way to a slow page
let plotSize = { width: 0, height: 0 };

const client = topics.connect();
client.on("state", ({ state }) => showState(state));
showState(client.state);

function showState(state) {
  find("status").dataset.state = state;
  find("status").textContent = STATES[state];
}

class Row {
  constructor([symbol, name, opening]) {
    Object.assign(this, { symbol, name, opening, points: [], offset: 0, subscription: null, timer: 0 });
    this.element = document.createElement("tr");
    this.element.dataset.symbol = symbol;
    if (withStars) this.cell(this.star());
    this.button = document.createElement("button");
    this.button.textContent = symbol;
    this.button.addEventListener("click", () => choose(this));
    this.cell(this.button);
    this.cell(name, "wide");
    this.price = this.cell(opening.toFixed(2), "number");
    this.day = this.cell("", "number");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.cell(this.canvas, "wide");
  }

  cell(content, look = "") {
    const cell = document.createElement("td");
    cell.className = look;
    cell.append(content);
    this.element.append(cell);
    return cell;
  }

  star() {
    const button = document.createElement("button");
    const show = () => {
      button.textContent = starred.has(this.symbol) ? "★" : "☆";
      button.setAttribute("aria-pressed", starred.has(this.symbol));
    };
    button.setAttribute("aria-label", `Star for ${this.symbol}`);
    button.addEventListener("click", async () => {
      const on = !starred.has(this.symbol);
      await client.rpc(`quote:${this.symbol}/star`, { on });
      starred[on ? "add" : "delete"](this.symbol);
      show();
    });
    show();
    return button;
  }

  /** Follow the row to the screen and off it, unless it only passes. */
  seen(visible) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (visible ? this.follow() : this.leave()), STAYS);
  }

  follow() {
    this.subscription ??= client.subscribe(`quote:${this.symbol}`, {
      on: { publication: ({ data, offset }) => this.take(data, offset) },
    });
  }

  leave() {
    if (this === chosen) return;
    this.subscription?.unsubscribe();
    this.subscription = null;
    this.points = [];
    this.offset = 0;
  }

  take(tick, offset) {
    received += 1;
    if (this.offset) leftOut += Math.max(offset - this.offset - 1, 0);
    this.offset = offset;
    if (tick.at < this.points.at(-1)?.at) return;
    this.points.push(tick);
    changed.add(this);
  }

  draw() {
    const oldest = Date.now() - SPAN;
    while (this.points.length > 1 && this.points[1].at < oldest) this.points.shift();
    const { price } = this.points.at(-1);
    this.price.textContent = price.toFixed(2);
    this.day.textContent = day(price, this.opening);
    this.day.className = `number ${price < this.opening ? "down" : "up"}`;
    if (wide.matches) sparkline(this.canvas, this.points, SPAN, price >= this.opening);
    if (this === chosen) drawChosen();
  }
}

const day = (price, opening) => `${price < opening ? "−" : "+"}${Math.abs((price / opening - 1) * 100).toFixed(2)} %`;

function choose(row) {
  const before = chosen;
  chosen = row;
  before?.element.removeAttribute("aria-current");
  if (before && !onScreen.has(before.element)) before.leave();
  row.element.setAttribute("aria-current", "true");
  row.follow();
  find("chosen").textContent = `${row.symbol} ${row.name}`;
  drawChosen();
}

function drawChosen() {
  const { points, opening } = chosen;
  const price = points.at(-1)?.price ?? opening;
  find("price").textContent = price.toFixed(2);
  find("day").textContent = day(price, opening);
  find("day").className = price < opening ? "down" : "up";
  plot(find("plot"), plotSize, points, SPAN);
}

function describeChosen() {
  if (!chosen?.points.length) return;
  const [lowest, highest] = range(chosen.points).map((price) => price.toFixed(2));
  find("plot").setAttribute("aria-label", `${chosen.symbol}, last minute: between ${lowest} and ${highest}`);
  find("range").textContent = `Last minute: ${lowest} to ${highest}`;
}

function draw() {
  if (document.hidden) return;
  for (const row of changed) if (row.points.length) row.draw();
  changed.clear();
}

// The lines are drawn anew in the colours of the night, or of the day.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => rows.forEach((row) => changed.add(row)));

new ResizeObserver(([{ contentRect }]) => {
  plotSize = contentRect;
  if (chosen) drawChosen();
}).observe(find("plot"));

const onScreen = new Set();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      onScreen[isIntersecting ? "add" : "delete"](target);
      rows.get(target.dataset.symbol).seen(isIntersecting);
    }
  },
  { root: document.querySelector(".scroll") },
);

for (const instrument of json("instruments")) {
  const row = new Row(instrument);
  rows.set(row.symbol, row);
  find("rows").append(row.element);
  observer.observe(row.element);
}
if (rows.size) choose(rows.values().next().value);

function filter() {
  const words = find("filter").value.trim().toLowerCase();
  for (const row of rows.values())
    row.element.hidden =
      !`${row.symbol} ${row.name}`.toLowerCase().includes(words) ||
      Boolean(find("starred")?.checked && !starred.has(row.symbol));
}
find("filter").addEventListener("input", filter);
find("starred")?.addEventListener("change", filter);

setInterval(() => {
  const watched = [...rows.values()].filter(({ subscription }) => subscription).length;
  const missed = leftOut ? `; left out: ${leftOut}` : "";
  find("load").textContent = `${received} prices in the last second, of ${watched} of ${rows.size} instruments${missed}`;
  received = 0;
  describeChosen();
}, 1000);
setInterval(draw, TURN);
