// The list of rooms: how much was said since you looked, while you look.

const name = document.querySelector(".who span").textContent;
const marks = new Map([...document.querySelectorAll(".unread")].map((mark) => [mark.dataset.room, mark]));

function show(mark, unread) {
  mark.textContent = unread;
  mark.hidden = unread === 0;
}

const client = topics.connect();
const rooms = client.subscribe("rooms");
rooms.on("subscribed", async () => {
  // What changed between the making of the page and now.
  for (const [room, unread] of Object.entries(await rooms.rpc("unread"))) if (marks.has(room)) show(marks.get(room), unread);
});
rooms.on("publication", ({ data }) => {
  const mark = marks.get(data.room);
  if (mark && data.name !== name) show(mark, Number(mark.textContent) + 1);
});
// To this person alone, from whatever page they read on: notify() in topics.py.
client.on("publication", ({ data }) => {
  const mark = marks.get(data.room);
  if (mark) show(mark, data.unread);
});
