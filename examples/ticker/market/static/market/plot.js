// Lines on a canvas: a small one in each row, a large one with its scale.

const ROW = { width: 96, height: 24 }; // of the small one, in CSS pixels
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = Object.fromEntries(
    ["accent", "faint", "ink", "up", "down"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
}
readColours();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);

/** Return an empty canvas of this size to draw on. The size is given: to ask for it makes the browser lay out the page. */
function prepare(canvas, { width, height }) {
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function line({ context, height }, points, span, right) {
  const [lowest, highest] = range(points);
  const from = Date.now() - span;
  const x = (at) => (Math.max(at - from, 0) / span) * right;
  const y = (price) => height - 4 - ((price - lowest) / (highest - lowest || 1)) * (height - 8);
  context.beginPath();
  points.forEach(({ price, at }, index) => context[index ? "lineTo" : "moveTo"](x(at), y(price)));
  context.lineTo(right, y(points.at(-1).price)); // it has cost this since
  context.stroke();
  return y;
}

/** The lowest and the highest price. */
export function range(points) {
  const prices = points.map(({ price }) => price);
  return [Math.min(...prices), Math.max(...prices)];
}

/** Draw the points of the last `span` milliseconds, without a scale. */
export function sparkline(canvas, points, span, rising) {
  const paper = prepare(canvas, ROW);
  paper.context.strokeStyle = colours[rising ? "up" : "down"];
  paper.context.lineWidth = 1.5;
  line(paper, points, span, ROW.width);
}

/** Draw them on a canvas of a size, with their lowest, highest and newest price beside them. */
export function plot(canvas, size, points, span) {
  const paper = prepare(canvas, size);
  if (!points.length) return;
  const { context, width, height } = paper;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  const right = width - 56;
  const y = line(paper, points, span, right);
  const newest = points.at(-1).price;
  const write = (price) => context.fillText(price.toFixed(2), right + 6, Math.min(Math.max(y(price), 7), height - 7));
  context.fillStyle = colours.faint;
  range(points).filter((price) => Math.abs(y(price) - y(newest)) > 14).forEach(write);
  context.fillStyle = colours.ink;
  write(newest);
}
