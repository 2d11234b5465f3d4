// A change list of the admin that is live. The topic says that something has changed; the page asks the admin for the list
// anew, by its own address, and takes over the rows that differ.

const PAUSE = 1000; // milliseconds between two requests for the list, at least
const PARTS = [".paginator", "#changelist-filter", "#toolbar .quiet", ".actions .all", ".actions .question"]; // which say how many rows there are

const script = document.getElementById("channels-live");
const words = JSON.parse(script.dataset.words);
const { connect } = await import(new URL(script.dataset.client, location.href).href);

const state = Object.assign(document.createElement("span"), { className: "channels-live-state" });
state.setAttribute("role", "status");
document.querySelector("#content > h1, #content-main, #changelist")?.append(state);
const tell = (name) => {
  state.dataset.state = name;
  state.textContent = name === "live" ? words.live : words.offline;
};

const keyOf = (row) => row.querySelector("input.action-select")?.value ?? row.querySelector("th a, td a")?.pathname ?? row.textContent;
const byKey = (rows) => new Map([...rows].map((row) => [keyOf(row), row]));
// Whether a row is marked, by whom it was, and what is done with it, is the page's own.
const contentOf = (row) => [...row.cells].filter((cell) => !cell.matches(".action-checkbox")).map((cell) => cell.outerHTML).join("");

function flash(row) {
  row.classList.remove("channels-live-changed");
  void row.offsetWidth; // begin the animation again
  row.classList.add("channels-live-changed");
}

/** Take over the cells of a row; its checkbox stays, with its mark. */
function change(row, fresh) {
  const box = row.querySelector("td.action-checkbox");
  if (box) fresh.querySelector("td.action-checkbox")?.replaceWith(box);
  row.replaceChildren(...fresh.cells);
  flash(row);
}

/** Take over rows; returns whether some have come or gone. */
function merge(body, freshRows) {
  const known = byKey(body.rows);
  const fresh = byKey(freshRows);
  let moved = false;
  for (const [key, row] of known) {
    if (!fresh.has(key)) {
      row.remove();
      moved = true;
    }
  }
  let next = body.firstElementChild;
  for (const [key, row] of fresh) {
    let shown = known.get(key);
    if (!shown) {
      shown = document.importNode(row, true);
      flash(shown);
      moved = true;
    } else if (contentOf(shown) !== contentOf(row)) change(shown, document.importNode(row, true));
    if (shown === next) next = next.nextElementSibling;
    else body.insertBefore(shown, next);
  }
  return moved;
}

/** Have the admin's script for actions know the rows that there are now, and forget what it has heard of before. */
function bindActions() {
  if (typeof window.Actions !== "function") return;
  const body = document.querySelector("#result_list tbody");
  const anew = [body, ...document.querySelectorAll("#action-toggle, #changelist-form button[name=index], .actions a")];
  for (const element of anew.filter(Boolean)) {
    const copy = element.cloneNode(element !== body);
    if (element === body) copy.replaceChildren(...element.children);
    element.replaceWith(copy);
  }
  const boxes = document.querySelectorAll("tr input.action-select");
  if (boxes.length) window.Actions(boxes);
  dispatchEvent(new Event("pageshow")); // the counter of what is selected follows
}

function show(fresh) {
  const body = document.querySelector("#result_list tbody");
  const freshBody = fresh.querySelector("#result_list tbody");
  for (const part of PARTS) {
    const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
    if (old && now && old.innerHTML !== now.innerHTML) old.innerHTML = now.innerHTML;
  }
  const [counter, freshCounter] = [document, fresh].map((each) => each.querySelector(".action-counter"));
  if (counter && freshCounter) counter.dataset.actionsIcnt = freshCounter.dataset.actionsIcnt;
  if (body && freshBody) {
    if (merge(body, freshBody.rows)) bindActions();
    return;
  }
  // There were no rows, or there are none any more: the form has other parts.
  const [form, freshForm] = [document.getElementById("changelist-form"), fresh.getElementById("changelist-form")];
  if (form && freshForm && Boolean(body) !== Boolean(freshBody)) {
    form.replaceChildren(...document.importNode(freshForm, true).childNodes);
    bindActions();
  }
}

/** Rows with inputs belong to who fills them in. */
function notice() {
  if (document.querySelector(".channels-live-notice")) return;
  const link = Object.assign(document.createElement("a"), { href: location.href, textContent: words.changed });
  const line = Object.assign(document.createElement("p"), { className: "channels-live-notice" });
  line.append(link);
  document.getElementById("changelist-form")?.prepend(line);
}

let wanted = false;
let running = false;

async function refresh() {
  wanted = true;
  if (running || document.hidden) return;
  running = true;
  while (wanted && !document.hidden) {
    wanted = false;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 403) return subscription.unsubscribe();
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (document.querySelector("#changelist-form [name=form-TOTAL_FORMS]")) notice();
        else show(fresh);
      }
    } catch {
      // no network: the next change, or the return of the connection, asks again
    }
    await new Promise((done) => setTimeout(done, PAUSE));
  }
  running = false;
}

const client = connect();
tell(client.state);
client.on("state", (detail) => tell(detail.state));
const subscription = client.subscribe(script.dataset.topic);
subscription.on("publication", ({ data: { snapshot, changes } }) => {
  const { at } = (snapshot ?? changes).at(-1)?.row ?? {};
  if (at > script.dataset.at) refresh(); // what has changed before is in the page
});
subscription.on("unsubscribed", () => tell("offline"));
document.addEventListener("visibilitychange", () => wanted && refresh());
