// The page has a topic for each device, and draws what is new four times a second.

import { Device, STATES } from "./device.js";

const TURN = 250; // milliseconds between two drawings
const CONNECTION = {
  connecting: () => "Connecting …",
  live: () => "Live",
  "catching up": () => "Back. Catching up …",
  offline: () => `Offline since ${new Date(stopped).toLocaleTimeString()}: what you see is from then. Trying again …`,
  closed: () => "Not connected any more: what you see is old",
};

const find = (id) => document.getElementById(id);
const make = (tag, look = "", text = "") =>
  Object.assign(document.createElement(tag), { className: look, textContent: text });
const facts = JSON.parse(find("facts").textContent);
const skew = facts.now - Date.now(); // of the server's clock
// While the page hears nothing its clock stands still: that is no silence of the devices.
const now = () => (stopped || Date.now()) + skew;
const rows = new Map(); // name -> row
const squares = new Map(); // site -> where its squares are
const totals = {}; // state -> where its number is
let stopped = 0;

/** Write only what is new: the browser need not look at the rest. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

class Row {
  constructor(facts_) {
    this.device = new Device(facts_);
    const { name, site } = this.device;
    this.element = make("tr");
    const head = Object.assign(make("th", "", name), { scope: "row" });
    this.state = make("td", "state");
    this.power = make("td", "number");
    this.button = Object.assign(make("button"), { type: "button", disabled: !facts.may_switch });
    this.button.setAttribute("role", "switch");
    this.button.setAttribute("aria-label", name);
    this.button.addEventListener("click", () => ask([this], !this.device.wished));
    const last = make("td", "switch");
    last.append(this.button);
    this.element.append(head, make("td", "wide", site), this.state, this.power, last);
    this.square = make("i");
    this.square.addEventListener("click", () => show(name));
  }

  /** Draw what has changed, and return its state. */
  draw(time) {
    const { device } = this;
    const state = device.state(time);
    if (this.shown !== state) {
      this.element.dataset.state = this.square.className = this.shown = state;
      this.square.title = `${device.name}: ${STATES[state]}`;
    }
    // The switch is where somebody wants it; the word beside it says whether the device has followed.
    if (this.wished !== device.wished) this.button.setAttribute("aria-checked", (this.wished = device.wished));
    write(this.state, device.words(state, time));
    const watts = device.watts(state);
    write(this.power, watts === null ? "–" : `${Math.round(watts)} W`);
    return state;
  }
}

function build() {
  for (const state of Object.keys(STATES)) {
    const item = make("li");
    totals[state] = make("b", "", "0");
    const sample = make("i", state);
    sample.setAttribute("aria-hidden", "true");
    item.append(sample, totals[state], ` ${STATES[state]}`);
    find("legend").append(item);
    find("only").append(new Option(STATES[state], state));
  }
  for (const device of facts.devices) {
    const row = new Row(device);
    const { name, site } = row.device;
    rows.set(name, row);
    if (!squares.has(site)) {
      const group = make("div", "site");
      squares.set(site, make("div", "squares"));
      group.append(make("span", "faint", site), squares.get(site));
      find("map").append(group);
    }
    squares.get(site).append(row.square);
    find("rows").append(row.element);
  }
}

function draw() {
  if (document.hidden) return;
  const time = now();
  const count = Object.fromEntries(Object.keys(STATES).map((state) => [state, 0]));
  let power = 0;
  for (const row of rows.values()) {
    const state = row.draw(time);
    count[state] += 1;
    power += row.device.watts(state) ?? 0;
  }
  for (const [state, number] of Object.entries(count)) write(totals[state], String(number));
  write(find("power"), `${(power / 1000).toFixed(1)} kW`);
  filter();
}

const shownRows = () => [...rows.values()].filter(({ element }) => !element.hidden);

function filter() {
  const words = find("filter").value.trim().toLowerCase();
  const only = find("only").value;
  for (const { device, element, shown } of rows.values()) {
    const hidden = !`${device.name} ${device.site}`.toLowerCase().includes(words) || (only && shown !== only);
    if (element.hidden !== Boolean(hidden)) element.hidden = hidden;
  }
  write(find("count"), `${shownRows().length} of ${rows.size} shown:`);
}

function show(name) {
  find("filter").value = name;
  find("only").value = "";
  filter();
}

/** Ask for some devices to be on or off. What the server has noted comes back by the topic "fleet". */
async function ask(chosen, on) {
  const names = chosen.map(({ device }) => device.name);
  const whom = names.length === 1 ? names[0] : `${names.length} devices`;
  try {
    const changed = await client.rpc("fleet/switch", { names, on });
    write(find("said"), changed ? `${whom} told to be ${on ? "on" : "off"}` : `Nothing to change for ${whom}`);
  } catch (error) {
    write(find("said"), `${whom} not switched: ${error.message}`);
  }
}

build();
draw();
for (const id of ["filter", "only"]) find(id).addEventListener("input", filter);
for (const [id, on] of [["all-on", true], ["all-off", false]])
  find(id)?.addEventListener("click", () => ask(shownRows(), on));

const client = topics.connect();
client.on("state", ({ state }) => {
  if (state === "live") stopped = 0;
  else stopped ||= Date.now();
  document.body.dataset.connection = find("status").dataset.state = state;
  write(find("status"), CONNECTION[state]());
});
client.subscribe("fleet", {
  since: facts.position,
  on: {
    publication: ({ data }) => data.names.forEach((name) => rows.get(name) && (rows.get(name).device.wanted = data.on)),
    // Too much has happened since: the page is read anew.
    subscribed: ({ recovered, wasRecovering }) => wasRecovering && !recovered && location.reload(),
  },
});
for (const { device } of rows.values())
  client.subscribe(`devices/${device.name}/state`, {
    on: { publication: ({ data, time }) => device.take(data, time || now()) },
  });
setInterval(draw, TURN);
