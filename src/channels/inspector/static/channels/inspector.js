// The pages of the inspector. Each look at all processes comes by a topic; "Now" draws it, other pages ask for themselves anew.

const script = document.getElementById("inspector");
const words = JSON.parse(script.dataset.words);
const { connect } = await import(new URL(script.dataset.client, location.href).href);
const KEPT = 150; // samples in a plot
const LEAST = 30; // which fill its width

const state = document.getElementById("state");
function tell(name) {
  state.dataset.state = name;
  state.textContent = name === "live" ? words.live : words.offline;
}

function showTimes() {
  for (const time of document.querySelectorAll("time[data-at]")) {
    const at = new Date(1000 * Number(time.dataset.at));
    time.dateTime = at.toISOString();
    const isToday = at.toDateString() === new Date().toDateString();
    time.textContent = isToday ? at.toLocaleTimeString(document.documentElement.lang) : at.toLocaleString(document.documentElement.lang);
  }
}

// "Now"

const block = document.getElementById("samples");
const samples = block ? JSON.parse(block.textContent) : [];
const valueAt = (sample, path) => path.split(".").reduce((found, name) => found?.[name], sample) ?? 0;

function draw() {
  for (const plot of document.querySelectorAll("[data-plot]")) {
    const values = samples.map((sample) => Math.max(0, valueAt(sample, plot.dataset.plot)));
    const top = Math.max(1, ...values);
    const width = Math.max(LEAST, values.length);
    const points = values.map((value, index) => `${(150 * (index + width - values.length)) / (width - 1)},${39 - (38 * value) / top}`);
    plot.querySelector("polyline").setAttribute("points", points.join(" "));
    plot.querySelector("output").textContent = values.at(-1)?.toLocaleString(document.documentElement.lang) ?? "";
  }
}

function showProblems({ problems }) {
  const place = document.getElementById("problems");
  const lines = problems.map(({ text, remedy }) => {
    const line = Object.assign(document.createElement("p"), { className: "problem", textContent: text || words.wrong });
    if (remedy) line.append(" ", Object.assign(document.createElement("span"), { className: "remedy", textContent: remedy }));
    return line;
  });
  const texts = (list) => [...list].map((each) => each.textContent).join("\n");
  if (texts(place.children) !== texts(lines)) place.replaceChildren(...lines);
}

function take(sample) {
  samples.push(sample);
  if (samples.length > KEPT) samples.shift();
  draw();
  showProblems(sample);
}

// What is asked for anew

let running = false;
async function refresh() {
  if (!document.querySelector("[data-live]")) return; // what is in messages is shown once for each entry in the audit log
  const isUsed = () => document.querySelector("[data-live] :focus");
  if (running || document.hidden || isUsed()) return;
  running = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
        if (now && !isUsed() && now.innerHTML !== part.innerHTML) part.replaceChildren(...document.importNode(now, true).childNodes);
      }
      showTimes();
      document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed ?? 0) + 1);
    }
  } catch {
    // no network: the next look asks again
  }
  running = false;
}

draw();
showTimes();
const client = connect({ shared: false });
tell(client.state);
client.on("state", (detail) => tell(detail.state));
const subscription = client.subscribe(script.dataset.topic);
subscription.on("publication", ({ data }) => {
  if (script.dataset.page === "now") take(data);
  refresh();
});
subscription.on("unsubscribed", () => tell("offline"));
