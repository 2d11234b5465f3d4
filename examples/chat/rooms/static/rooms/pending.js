// What was written while there was no connection: kept in this browser until it is said, once.

export class Pending {
  /** @param name of the place in the browser's storage */
  constructor(name) {
    this.name = name;
    this.lines = JSON.parse(localStorage.getItem(name) ?? "[]");
    this.busy = false;
  }

  add(text) {
    const line = { key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text };
    this.keep([...this.lines, line]);
    return line;
  }

  remove(key) {
    this.keep(this.lines.filter((line) => line.key !== key));
  }

  keep(lines) {
    this.lines = lines;
    localStorage.setItem(this.name, JSON.stringify(lines));
  }

  /** Say them in order. What is refused for good goes; what may yet arrive stays, with its key. */
  async flush(say, refused) {
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.lines.length) {
        const [line] = this.lines;
        try {
          await say(line);
        } catch (error) {
          if (!error.code || error.temporary) return;
          refused(line, error);
        }
        this.remove(line.key);
      }
    } finally {
      this.busy = false;
    }
  }
}
