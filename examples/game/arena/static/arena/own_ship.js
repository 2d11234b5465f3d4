// One's own ship, shown before the server has heard of the input: prediction, and its correction by snapshots.

import { move } from "./rules.js";

const GENTLE = 0.15; // of an error, put right with each snapshot
const TOO_FAR = 150; // from here on at once

export class OwnShip {
  constructor() {
    this.place = null; // of the prediction
    this.direction = { dx: 0, dy: 0 };
    this.seq = 0;
    this.unknown = []; // inputs that no snapshot knows yet: seq, direction, and when
  }

  /** Turn; returns the input for the server, or null if that is no change. */
  turn(dx, dy) {
    if (dx === this.direction.dx && dy === this.direction.dy) return null;
    this.direction = { dx, dy };
    this.seq = (this.seq + 1) % 65536;
    this.unknown.push({ seq: this.seq, dx, dy, at: performance.now() });
    return this.input();
  }

  input() {
    return { seq: this.seq, ...this.direction };
  }

  fly(seconds) {
    if (this.place) move(this.place, this.direction, seconds);
  }

  /** Take what the server says: from its place, fly again what it does not know yet. */
  correct(ship) {
    if (!this.place) {
      this.place = { x: ship.x, y: ship.y };
      this.seq = ship.seq;
    }
    this.unknown = this.unknown.filter(({ seq }) => (seq - ship.seq + 65536) % 65536 < 32768 && seq !== ship.seq);
    const right = { x: ship.x, y: ship.y };
    this.unknown.forEach((input, index) => {
      const until = this.unknown[index + 1]?.at ?? performance.now();
      move(right, input, (until - input.at) / 1000);
    });
    const share = Math.hypot(right.x - this.place.x, right.y - this.place.y) > TOO_FAR ? 1 : GENTLE;
    this.place.x += (right.x - this.place.x) * share;
    this.place.y += (right.y - this.place.y) * share;
  }
}
