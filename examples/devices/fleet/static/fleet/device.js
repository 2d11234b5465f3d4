// One device: what it said last, what is wanted of it, and what follows from the two.

const SILENT = 45; // seconds without a report, after which what it said last is not believed any more

/** States in the order of the legend, with what they are called. */
export const STATES = {
  on: "On",
  off: "Off",
  waiting: "Switching",
  silent: "Silent",
  lost: "Lost",
  unknown: "Not heard of",
};

export class Device {
  constructor([name, site, rated, wanted]) {
    Object.assign(this, { name, site, rated, wanted, said: null, at: 0 });
  }

  /** Take what it says; `at` is the server's time, in milliseconds. */
  take(said, at) {
    Object.assign(this, { said, at });
  }

  /** Whether it is to be on: as it is, until somebody has said so. */
  get wished() {
    return this.wanted ?? this.said?.on ?? false;
  }

  /** Return its state, at the server's time. */
  state(now) {
    if (!this.said) return "unknown";
    if (!this.said.online) return "lost";
    if (now - this.at > SILENT * 1000) return "silent";
    if (this.said.on !== this.wished) return "waiting";
    return this.said.on ? "on" : "off";
  }

  /** Return its state in words. */
  words(state, now) {
    const wish = this.wished ? "on" : "off";
    if (state === "waiting") return `Switching ${wish} …`;
    if (state === "silent") return `Silent for ${Math.round((now - this.at) / 1000)} s`;
    if (state === "lost") return this.wanted === null ? "Lost" : `Lost; ${wish} when back`;
    return STATES[state];
  }

  /** The watts that it takes, as far as anybody knows. */
  watts(state) {
    return ["on", "off", "waiting"].includes(state) ? this.said.watts : null;
  }
}
