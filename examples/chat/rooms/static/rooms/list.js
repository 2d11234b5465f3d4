// The list of rooms: how much was said since you looked, while you look.

const name = document.querySelector(".who span").textContent;
const marks = new Map([...document.querySelectorAll(".unread")].map((mark) => [mark.dataset.room, mark]));

topics.connect().subscribe("rooms").on("publication", ({ data }) => {
  const mark = marks.get(data.room);
  if (!mark || data.name === name) return;
  mark.textContent = Number(mark.textContent) + 1;
  mark.hidden = false;
});
