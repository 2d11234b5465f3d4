// The field on a canvas.

import { FIELD } from "./rules.js";

const canvas = document.getElementById("field");
let side = 0;
new ResizeObserver(([{ contentRect }]) => (side = contentRect.width)).observe(canvas);

let ink;
const readInk = () => (ink = getComputedStyle(document.documentElement).getPropertyValue("--ink"));
readInk();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readInk);

export const colour = (user) => `hsl(${(user * 137) % 360} 70% 50%)`;

/** Return the place in the field that a pointer is at. */
export function placeOf({ offsetX, offsetY }) {
  return { x: (offsetX / side) * FIELD, y: (offsetY / side) * FIELD };
}

/** Draw gems and ships: `[user, {x, y}]` each. */
export function draw(gems, ships, me, names) {
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(side * ratio)) canvas.width = canvas.height = Math.round(side * ratio);
  const context = canvas.getContext("2d");
  const scale = canvas.width / FIELD;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, FIELD, FIELD);
  for (const { x, y } of gems) gem(context, x, y);
  for (const [user, { x, y }] of ships) ship(context, x, y, user, user === me, names.get(user) ?? "");
}

function gem(context, x, y) {
  context.fillStyle = "#e0a100";
  context.beginPath();
  for (const [dx, dy] of [[0, -13], [10, 0], [0, 13], [-10, 0]]) context.lineTo(x + dx, y + dy);
  context.fill();
}

function ship(context, x, y, user, mine, name) {
  context.fillStyle = colour(user);
  context.beginPath();
  context.arc(x, y, 18, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = context.fillStyle = ink;
  if (mine) {
    context.lineWidth = 4;
    context.stroke();
  }
  context.font = `${side < 500 ? 36 : 22}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.fillText(name, x, y < 70 ? y + 54 : y - 26);
}
