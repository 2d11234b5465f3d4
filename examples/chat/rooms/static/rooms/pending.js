// What was written while there was no connection: kept in this browser until it is said, once.

export class Pending {
  #unkept = []; // what the storage did not take: it is full, or switched off
  busy = false;

  /** @param name of the place in the browser's storage; other tabs have their lines there as well */
  constructor(name) {
    this.name = name;
  }

  get lines() {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(this.name));
    } catch {}
    return [...(kept ?? []), ...this.#unkept];
  }

  set lines(lines) {
    this.#unkept = [];
    try {
      localStorage.setItem(this.name, JSON.stringify(lines));
    } catch {
      const kept = this.lines.map(({ key }) => key);
      this.#unkept = lines.filter(({ key }) => !kept.includes(key));
    }
  }

  add(text) {
    const line = { key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text };
    this.lines = [...this.lines, line];
    return line;
  }

  remove(key) {
    this.lines = this.lines.filter((line) => line.key !== key);
  }

  /** Say them in order. What is refused for good goes; what may yet arrive stays, with its key. */
  async flush(say, refused) {
    if (this.busy) return;
    this.busy = true;
    try {
      for (let line; (line = this.lines[0]); this.remove(line.key)) {
        try {
          await say(line);
        } catch (error) {
          if (!error.code || error.temporary) return;
          refused(line, error);
        }
      }
    } finally {
      this.busy = false;
    }
  }
}
