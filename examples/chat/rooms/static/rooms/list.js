// The list of rooms: how much was said since you looked, while you look.

const name = document.querySelector(".who span").textContent;
const marks = new Map([...document.querySelectorAll(".unread")].map((mark) => [mark.dataset.room, mark]));
let news = 0; // what came that has changed a mark

function show(room, unread) {
  const mark = marks.get(room);
  if (mark) Object.assign(mark, { textContent: unread, hidden: unread === 0 });
}

/** Ask for what changed between the making of the page and now; again if something came before the answer. */
async function readAll() {
  const before = news;
  const unread = await rooms.rpc("unread");
  if (before !== news) return readAll();
  for (const [room, count] of Object.entries(unread)) show(room, count);
}

const client = topics.connect();
const rooms = client.subscribe("rooms");
rooms.on("subscribed", () => readAll().catch(() => {})); // the connection went again: it will be back
rooms.on("publication", ({ data }) => {
  news += 1;
  if (data.name !== name) show(data.room, Number(marks.get(data.room)?.textContent) + 1);
});
// To this person alone, from whatever page they read on: notify() in topics.py.
client.on("publication", ({ data }) => {
  news += 1;
  show(data.room, data.unread);
});
