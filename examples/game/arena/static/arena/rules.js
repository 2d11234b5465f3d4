// What pages know of the rules: how a snapshot reads, and how a ship moves. The same as in engine.py.

export const TICKS = 20;
export const FIELD = 1000;
export const LENGTH = 120 * TICKS;
const SPEED = 240;

/** Read a snapshot: the tick, ships by user, and gems. JSON brings bytes as Base64. */
export function decode(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const [tick, shipCount, gemCount] = [view.getUint32(0), view.getUint8(4), view.getUint8(5)];
  const ships = new Map();
  let at = 6;
  for (let n = 0; n < shipCount; n += 1, at += 14)
    ships.set(view.getUint32(at), {
      x: view.getUint16(at + 4) / 10,
      y: view.getUint16(at + 6) / 10,
      dx: view.getInt8(at + 8),
      dy: view.getInt8(at + 9),
      score: view.getUint16(at + 10),
      seq: view.getUint16(at + 12),
    });
  const gems = [];
  for (let n = 0; n < gemCount; n += 1, at += 4) gems.push({ x: view.getUint16(at) / 10, y: view.getUint16(at + 2) / 10 });
  return { tick, ships, gems };
}

/** Let a ship fly for some seconds. */
export function move(ship, { dx, dy }, seconds) {
  const way = (SPEED * seconds) / (Math.hypot(dx, dy) || 1);
  ship.x = Math.min(Math.max(ship.x + dx * way, 0), FIELD);
  ship.y = Math.min(Math.max(ship.y + dy * way, 0), FIELD);
}
