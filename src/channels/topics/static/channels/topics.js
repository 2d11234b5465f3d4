// The client of topics for browsers: an ES module without dependencies that speaks the Centrifuge protocol, version 2, in
// JSON. See topics.d.ts for its types and docs/howto/topics.md for how to use it.

const BACKOFF = { first: 200, most: 20_000 }; // milliseconds
const COMMAND_TIMEOUT = 10_000;
const PING_GRACE = 10_000;
// Without anything heard after a command the server is asked whether it is there; and how long its answer may take.
const DOUBT = 4000;
const PROBE = 5000;
const NO_TOPIC = "!probe";
// Characters of commands in one request, well below what a server takes; and those of a request that a browser still sends
// when its page is left: all of a page's such requests have 64 KiB.
const BATCH = 16_000;
const KEPT = 20_000;
const NUMBERED = 1; // a flag: pushes may name a topic by its number

/** An answer that is an error: `code` and `temporary` are the protocol's. */
export class TopicsError extends Error {
  constructor(code, message, temporary = false) {
    super(message);
    this.name = "TopicsError";
    this.code = code;
    this.temporary = temporary;
  }
}

const isFinal = (code) => (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000) || code === 1009;

/** Wait longer after each failure, and never exactly as long as everybody else. */
const pause = (failures) => Math.random() * Math.min(BACKOFF.most, BACKOFF.first * 2 ** Math.min(failures, 10)) + 50;

class Emitter {
  #listeners = new Map();

  /** Call `listener` with what happens; returns a function that ends that. */
  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return () => this.#listeners.get(event)?.delete(listener);
  }

  emit(event, detail) {
    const listeners = [...(this.#listeners.get(event) ?? [])];
    if (event === "error" && !listeners.length) console.warn(`${this.topic}: ${detail.message} (${detail.code})`);
    for (const listener of listeners) {
      try {
        listener(detail);
      } catch (error) {
        // A page's mistake is told like any other, and keeps nobody else from hearing.
        (self.reportError ?? console.error)(error);
      }
    }
  }
}

// Deltas: the format of Fossil. A JSON connection gets documents and patches as strings.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
const VALUES = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 64; digit++) VALUES[DIGITS.charCodeAt(digit)] = digit;

/** Return what a delta makes of `source`; both are bytes. */
export function applyDelta(source, delta) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (; VALUES[delta[at]] >= 0; at++) value = value * 64 + VALUES[delta[at]];
    return value;
  };
  const target = new Uint8Array(number());
  let filled = 0;
  at++; // the newline
  while (at < delta.length) {
    const amount = number();
    const kind = String.fromCharCode(delta[at++]);
    if (kind === "@") {
      const from = number();
      at++; // the comma
      target.set(source.subarray(from, from + amount), filled);
      filled += amount;
    } else if (kind === ":") {
      target.set(delta.subarray(at, at + amount), filled);
      at += amount;
      filled += amount;
    } else if (kind === ";" && filled === target.length) {
      return target;
    } else break;
  }
  throw new TopicsError(0, "A delta does not fit the publication before it.");
}

/** A subscription to one topic; `Client.subscribe` makes it. */
export class Subscription extends Emitter {
  #client;
  #previous = null; // bytes of the last publication, for deltas
  state = "subscribing"; // "subscribed", or "unsubscribed" for good
  recoverable = false;
  offset = 0;
  epoch = "";

  constructor(client, topic, options = {}) {
    super();
    this.#client = client;
    this.topic = topic;
    this.options = options;
    if (options.since) Object.assign(this, { recoverable: true, ...options.since });
    for (const [event, listener] of Object.entries(options.on ?? {})) this.on(event, listener);
  }

  publish(data) {
    return this.#client.command("publish", { channel: this.topic, data });
  }

  /** Tell the other subscribers something that nobody keeps; of many, the latest counts. */
  publishEphemeral(data) {
    return this.rpc("ephemeral", data);
  }

  /** Call a method of the topic. */
  rpc(method, data) {
    return this.#client.rpc(`${this.topic}/${method}`, data);
  }

  async history({ limit = -1, since, reverse } = {}) {
    return this.#client.command("history", { channel: this.topic, limit, since, reverse });
  }

  async presence() {
    return (await this.#client.command("presence", { channel: this.topic })).presence;
  }

  async presenceStats() {
    const { num_clients: clients, num_users: users } = await this.#client.command("presence_stats", { channel: this.topic });
    return { clients, users };
  }

  unsubscribe() {
    this.#client.unsubscribe(this);
  }

  // What follows is for the client.

  request() {
    const { joinLeave, delta, tags, data, token } = this.options;
    const recovery = this.recoverable ? { recover: true, offset: this.offset, epoch: this.epoch } : {};
    const wishes = { join_leave: joinLeave, delta: delta && "fossil", tf: tags, data, token };
    return { channel: this.topic, flag: NUMBERED, ...wishes, ...recovery };
  }

  subscribed(result) {
    this.delta = Boolean(result.delta);
    this.recoverable = Boolean(result.recoverable);
    this.state = "subscribed";
    if (!result.recovered) {
      this.#previous = null;
      this.offset = result.offset ?? 0;
    }
    this.epoch = result.epoch ?? "";
    const recovered = Boolean(result.recovered);
    this.emit("subscribed", { recovered, wasRecovering: Boolean(result.was_recovering), data: result.data });
    for (const publication of result.publications ?? []) this.published(publication);
    if (recovered) this.offset = Math.max(this.offset, result.offset ?? 0);
  }

  published(publication) {
    const data = this.delta ? this.#patched(publication) : publication.data;
    if (publication.offset) this.offset = publication.offset;
    if (publication.epoch) this.epoch = publication.epoch;
    this.emit("publication", { ...publication, data });
  }

  ended(code, reason) {
    this.state = "unsubscribed";
    this.emit("unsubscribed", { code, reason });
  }

  #patched({ data, delta }) {
    const bytes = new TextEncoder().encode(data);
    this.#previous = delta ? applyDelta(this.#previous, bytes) : bytes;
    return JSON.parse(new TextDecoder().decode(this.#previous));
  }
}

// Live queries: a publication is a snapshot of all rows, or changes to be followed in order.

const isSnapshot = ({ data, tags }) => tags?.live === "snapshot" && Array.isArray(data?.snapshot);

/** The rows of a live query by their keys, in order; `Client.live` makes it. */
export class LiveQuery extends Emitter {
  rows = new Map();

  constructor(subscription) {
    super();
    this.subscription = subscription;
    subscription?.on("publication", (publication) => this.follow(publication));
  }

  /** Show the rows as children of an element: `render(row, key, node)` returns the new node of a row, or the one it has. */
  into(parent, render) {
    const nodes = new Map();
    const show = (changes) => {
      for (const [key, node] of nodes) if (!this.rows.has(key) && nodes.delete(key)) node.remove();
      for (const key of changes ? changes.map((each) => each.key) : this.rows.keys()) {
        if (!this.rows.has(key)) continue;
        const old = nodes.get(key);
        const node = render(this.rows.get(key), key, old);
        if (old && old !== node) old.replaceWith(node);
        nodes.set(key, node);
      }
      let next = parent.firstChild;
      for (const key of this.rows.keys()) {
        const node = nodes.get(key);
        if (node === next) next = node.nextSibling;
        else parent.insertBefore(node, next);
      }
    };
    parent.replaceChildren();
    show();
    return this.on("rows", ({ changes }) => show(changes));
  }

  unsubscribe() {
    this.subscription.unsubscribe();
  }

  // What follows is for the client.

  follow(publication) {
    const { snapshot, changes } = publication.data;
    if (isSnapshot(publication)) this.rows = new Map(snapshot.map(({ key, row }) => [key, row]));
    else if (Array.isArray(changes)) for (const change of changes) this.#apply(change);
    else return;
    this.emit("rows", { rows: this.rows, changes });
  }

  #apply({ op, key, row, after }) {
    const inPlace = op === "change" && after === undefined;
    if (!inPlace) this.rows.delete(key);
    if (op === "delete") return;
    this.rows.set(key, row);
    if (after === undefined) return;
    // A Map keeps the order of insertion: what comes behind the row is put in again.
    const keys = [...this.rows.keys()];
    for (const each of keys.slice(keys.indexOf(after) + 1, -1)) {
      const other = this.rows.get(each);
      this.rows.delete(each);
      this.rows.set(each, other);
    }
  }
}

// Transports: each tells `opened`, `received(text)` and `closed(code, reason)`, and has `send(lines)` and `close()`.

class WebSocketTransport {
  constructor(endpoints, events) {
    this.socket = new WebSocket(endpoints.websocket);
    this.socket.onopen = () => events.opened();
    this.socket.onmessage = ({ data }) => events.received(data);
    this.socket.onclose = ({ code, reason }) => events.closed(code, reason);
  }

  send(lines) {
    this.socket.send(lines);
  }

  close() {
    this.socket.onclose = null;
    this.socket.close(1000);
  }
}

/** For networks that let no WebSocket through: an event stream down, requests up. */
class EventStreamTransport {
  constructor(endpoints, events, connect) {
    this.endpoints = endpoints;
    this.events = events;
    this.session = null;
    this.waiting = [];
    this.posting = false;
    const url = new URL(endpoints.sse);
    url.searchParams.set("cf_connect", connect);
    this.source = new EventSource(url, { withCredentials: true });
    this.source.onopen = () => events.opened();
    this.source.onmessage = ({ data }) => {
      const { connect: connected, push } = JSON.parse(data);
      if (connected) this.session = { session: connected.session, node: connected.node };
      if (push?.disconnect) this.#end(push.disconnect.code, push.disconnect.reason);
      else events.received(data);
    };
    this.source.onerror = () => this.#end(0, "the event stream broke");
  }

  send(lines) {
    if (!this.session) return; // the connect command was sent with the request
    this.waiting.push(...lines.split("\n"));
    if (!this.posting) this.#postAll();
  }

  /** One request after the other, as they might overtake each other. */
  async #postAll() {
    this.posting = true;
    while (this.waiting.length) {
      const status = await this.#post(this.#batch());
      if (status === 413) this.#end(1009, "message size limit");
      else if (status >= 400) this.#end(0, "a request was not taken");
    }
    this.posting = false;
  }

  #batch() {
    let size = 0;
    const more = this.waiting.findIndex((line, index) => (size += line.length) > BATCH && index > 0);
    return this.waiting.splice(0, more < 0 ? this.waiting.length : more).join("\n");
  }

  /** Return the status of the answer; 599 if there is none. */
  async #post(data) {
    const body = JSON.stringify({ ...this.session, data });
    const request = { method: "POST", body, credentials: "include", keepalive: body.length < KEPT };
    return fetch(this.endpoints.emulation, request).then(({ status }) => status, () => 599);
  }

  close() {
    this.source.close();
    this.waiting.length = 0;
  }

  #end(code, reason) {
    this.close();
    this.events.closed(code, reason);
  }
}

/**
 * A connection, and what goes over it. States: "connecting" (never yet), "live", "catching up" (back, and reading what was
 * missed), "offline" (waiting for the network, or for the next attempt), "closed" (for good, until `connect()`).
 */
export class Client extends Emitter {
  #endpoints;
  #options;
  #transport = null;
  #transports = [WebSocketTransport, EventStreamTransport];
  #choice = 0;
  #opened = false; // this transport worked once
  #failures = 0;
  #timer = null;
  #silence = null;
  #doubt = null;
  #probing = null;
  #ids = 0;
  #pending = new Map();
  #out = [];
  #topics = new Map();
  #numbers = new Map();
  #wanted = false;
  #connected = false;
  #wasLive = false;
  state = "closed";
  id = "";
  session = null; // by which another request may end this connection

  constructor(endpoints, options = {}) {
    super();
    this.#endpoints = endpoints;
    this.#options = options;
    self.addEventListener?.("online", () => this.probe());
    self.document?.addEventListener("visibilitychange", () => self.document.visibilityState === "visible" && this.probe());
    // A socket does not know that its network has gone: it would look live until the server's pings are missed.
    self.addEventListener?.("offline", () => this.#connected && this.#drop(0, "the network is gone"));
    // A page in the back/forward cache would keep its socket, answer pings, and lose what is sent to it.
    self.addEventListener?.("pagehide", () => this.#wanted && this.#drop(0, "the page is hidden"));
    self.addEventListener?.("pageshow", ({ persisted }) => persisted && this.probe());
  }

  connect() {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#open();
    }
    return this;
  }

  disconnect() {
    this.#wanted = false;
    this.#drop(0, "disconnected by the page");
    this.#change("closed", { code: 0, reason: "disconnected by the page" });
  }

  /**
   * Find out at once whether the connection still works: who waits for the next attempt tries now; without an answer the
   * connection is made anew. The client does so by itself when its page is looked at again, and when the network is back.
   */
  probe() {
    if (this.#wanted && !this.#transport) this.#open();
    if (!this.#connected || this.#probing) return;
    this.#probing = setTimeout(() => this.#drop(0, "the server does not answer"), PROBE);
    if (!this.#pending.size) this.command("unsubscribe", { channel: NO_TOPIC }).catch(() => {});
    else this.#probeNetwork(this.#probing);
  }

  /** Commands are answered in order: behind one that takes its time, another request shows whether the server is there. */
  #probeNetwork(probing) {
    const done = () => probing === this.#probing && this.#believe();
    // That a policy of the page forbids the request says nothing, and a browser without network knows of it.
    fetch(this.#endpoints.emulation, { method: "OPTIONS", cache: "no-store" }).then(done, done);
  }

  #believe() {
    clearTimeout(this.#probing);
    this.#probing = null;
  }

  /** Subscribe to a topic, now and after each return of the connection. */
  subscribe(topic, options) {
    const known = this.#topics.get(topic);
    if (known) throw new TopicsError(105, `There is a subscription to ${topic} already.`);
    const subscription = new Subscription(this, topic, options);
    this.#topics.set(topic, subscription);
    if (this.#connected) this.#subscribe(subscription);
    return subscription;
  }

  unsubscribe(subscription) {
    if (this.#topics.get(subscription.topic) !== subscription) return;
    this.#topics.delete(subscription.topic);
    if (this.#connected) this.command("unsubscribe", { channel: subscription.topic }).catch(() => {});
    subscription.ended(0, "unsubscribed by the page");
  }

  /** Have the rows of a live query, as they are. */
  live(topic, options) {
    return new LiveQuery(this.subscribe(topic, options));
  }

  publish(topic, data) {
    return this.command("publish", { channel: topic, data });
  }

  async rpc(method, data) {
    return (await this.command("rpc", { method, data })).data;
  }

  /** Send a command of the protocol; the promise is its result, or fails with a TopicsError. */
  command(name, request) {
    if (!this.#connected && name !== "connect") {
      return Promise.reject(new TopicsError(0, `Not connected, so ${name} was not sent.`, true));
    }
    return new Promise((resolve, reject) => this.#request(name, request, resolve, reject));
  }

  /** Send a command; `resolve` is called before the line behind the answer is read. */
  #request(name, request, resolve, reject) {
    const id = ++this.#ids;
    const timer = setTimeout(() => this.#expire(id), COMMAND_TIMEOUT);
    this.#pending.set(id, { name, resolve, reject, timer });
    this.#doubt ??= setTimeout(() => this.#doubted(), DOUBT);
    this.#send({ id, [name]: request });
  }

  #change(state, detail = {}) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", { state, ...detail });
  }

  #open() {
    clearTimeout(this.#timer);
    this.#change(this.#wasLive ? "offline" : "connecting");
    const connect = JSON.stringify({ id: ++this.#ids, connect: this.#connectRequest() });
    this.#pending.set(this.#ids, {
      name: "connect",
      resolve: (result) => this.#welcome(result),
      reject: (error) => this.#refused(error),
      timer: setTimeout(() => this.#drop(0, "no answer to connect"), COMMAND_TIMEOUT),
    });
    const Transport = this.#transports[this.#choice];
    const transport = (this.#transport = new Transport(
      this.#endpoints,
      {
        opened: () => transport === this.#transport && transport.send(connect),
        received: (text) => transport === this.#transport && this.#received(text),
        closed: (code, reason) => transport === this.#transport && this.#drop(code, reason),
      },
      connect,
    ));
  }

  #connectRequest() {
    const { token, data, name = "channels-js" } = this.#options;
    return { token, data, name };
  }

  #welcome({ client, ping, session, node, subs = {} }) {
    this.id = client;
    this.session = session ? { session, node } : null;
    this.#opened = this.#connected = true;
    this.#failures = 0;
    this.#pingEvery = ping ? ping * 1000 + PING_GRACE : 0;
    this.#listen();
    for (const [topic, result] of Object.entries(subs)) this.#serverSide(topic, result);
    const waiting = [...this.#topics.values()].filter(({ state }) => state !== "unsubscribed");
    this.#change(this.#wasLive && waiting.length ? "catching up" : "live");
    this.#wasLive = true;
    Promise.allSettled(waiting.map((each) => this.#subscribe(each))).then(() => this.#connected && this.#change("live"));
    this.emit("connected", { client });
  }

  #refused(error) {
    if (error.temporary || error.code === 109) this.#drop(0, error.message);
    else this.#drop(3500, error.message);
  }

  #pingEvery = 0;

  #doubted() {
    this.#doubt = null;
    if (this.#pending.size) this.probe();
  }

  /** Expect a ping, or anything else. */
  #listen() {
    clearTimeout(this.#silence);
    if (this.#probing) this.#believe();
    if (this.#pingEvery) this.#silence = setTimeout(() => this.#drop(0, "the server is silent"), this.#pingEvery);
  }

  #subscribe(subscription) {
    subscription.state = "subscribing";
    return new Promise((done) => {
      const accept = (result) => {
        if (result.id) this.#numbers.set(result.id, subscription);
        subscription.subscribed(result);
        done();
      };
      const refuse = (error) => {
        this.#refusedTopic(subscription, error);
        done();
      };
      this.#request("subscribe", subscription.request(), accept, refuse);
    });
  }

  #refusedTopic(subscription, error) {
    if (!this.#connected || this.#topics.get(subscription.topic) !== subscription) return;
    if (error.temporary) {
      setTimeout(() => this.#connected && this.#subscribe(subscription), pause(3));
      return;
    }
    this.#topics.delete(subscription.topic);
    subscription.emit("error", error);
    subscription.ended(error.code, error.message);
  }

  #serverSide(topic, result) {
    this.emit("subscribed", { topic, recovered: Boolean(result.recovered) });
    for (const publication of result.publications ?? []) this.emit("publication", { topic, ...publication });
  }

  #send(command) {
    this.#out.push(JSON.stringify(command));
    if (this.#out.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush() {
    const lines = this.#out.splice(0).join("\n");
    if (lines && this.#transport) this.#transport.send(lines);
  }

  #received(text) {
    this.#listen();
    for (const line of text.split("\n")) {
      if (!line) continue;
      const reply = JSON.parse(line);
      if (reply.id) this.#answered(reply);
      else if (reply.push) this.#pushed(reply.push);
      else this.#send({}); // a ping
    }
    if (this.#doubt) this.#hope();
  }

  /** Who was heard has no need to be doubted; what is still unanswered is watched anew. */
  #hope() {
    clearTimeout(this.#doubt);
    this.#doubt = this.#pending.size ? setTimeout(() => this.#doubted(), DOUBT) : null;
  }

  #answered(reply) {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    const { error } = reply;
    if (error) pending.reject(new TopicsError(error.code, error.message, Boolean(error.temporary)));
    else pending.resolve(reply[pending.name] ?? {});
  }

  #expire(id) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(new TopicsError(0, `No answer to ${pending.name} within ${COMMAND_TIMEOUT / 1000} seconds.`, true));
  }

  #pushed(push) {
    const subscription = push.id ? this.#numbers.get(push.id) : this.#topics.get(push.channel);
    if (!subscription) {
      if (push.pub) this.emit("publication", { topic: push.channel, ...push.pub });
      return;
    }
    if (push.pub) subscription.published(push.pub);
    if (push.join) subscription.emit("join", push.join.info);
    if (push.leave) subscription.emit("leave", push.leave.info);
    if (push.unsubscribe) this.#unsubscribed(subscription, push.unsubscribe);
  }

  #unsubscribed(subscription, { code, reason }) {
    if (code >= 2500) {
      this.#change("catching up");
      this.#subscribe(subscription).then(() => this.#connected && this.#change("live"));
    } else {
      this.#topics.delete(subscription.topic);
      subscription.ended(code, reason);
    }
  }

  /** End the transport; come back later, unless the code says never. */
  #drop(code, reason) {
    const transport = this.#transport;
    this.#transport = null;
    transport?.close();
    clearTimeout(this.#silence);
    clearTimeout(this.#doubt);
    this.#doubt = null;
    this.#believe();
    clearTimeout(this.#timer);
    const wasConnected = this.#connected;
    this.#connected = false;
    this.session = null;
    this.#numbers.clear();
    this.#out.length = 0;
    for (const [id, pending] of this.#pending) {
      clearTimeout(pending.timer);
      this.#pending.delete(id);
      if (pending.name !== "connect") pending.reject(new TopicsError(0, "The connection was lost.", true));
    }
    if (wasConnected) this.emit("disconnected", { code, reason });
    if (!this.#wanted) return;
    if (isFinal(code)) {
      this.#wanted = false;
      this.#change("closed", { code, reason });
      return;
    }
    // A transport that never worked gives way to the next one.
    if (!this.#opened) this.#choice = (this.#choice + 1) % this.#transports.length;
    this.#change("offline", { code, reason });
    this.#timer = setTimeout(() => this.#open(), pause(this.#failures++));
  }
}

/** Return where this site's topics are, as the page says in its `<meta name="channels-topics">`. */
export function endpoints(base = self.location.href) {
  const meta = self.document?.querySelector('meta[name="channels-topics"]')?.content;
  const paths = { websocket: "/connection/websocket", sse: "/connection/sse", emulation: "/emulation", ...JSON.parse(meta ?? "{}") };
  const found = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, new URL(path, base).href]));
  return { ...found, websocket: found.websocket.replace(/^http/, "ws") };
}

// One connection for all tabs: a hub in a SharedWorker, or in the page where there is none; a page speaks to it by messages.

const EVENTS = ["subscribed", "publication", "join", "leave", "unsubscribed", "error"];

/** What pages are to each other: their subscriptions, over one client. */
class Hub {
  #client;
  #ports = new Set();
  #shared = new Map(); // topic -> { subscription, ports, live: the rows, for pages that come later }

  constructor(places, options) {
    const { websocket } = places;
    const separator = websocket.includes("?") ? "&" : "?";
    this.#client = new Client({ ...places, websocket: `${websocket}${separator}session=1` }, options);
    this.#client.on("connected", () => this.#tellLast());
    this.#client.on("disconnected", () => this.#tellLast());
    this.#client.on("state", (detail) => this.#tellAll({ event: "state", detail }));
    this.#client.on("publication", (detail) => this.#tellAll({ event: "publication", detail }));
    this.#client.on("subscribed", (detail) => this.#tellAll({ event: "subscribed", detail }));
  }

  join(port) {
    this.#ports.add(port);
    port.onmessage = ({ data }) => this.#asked(port, data);
    port.postMessage({ event: "state", detail: { state: this.#client.state } });
    this.#client.connect();
    this.#tellLast();
  }

  /** Let a page that is alone know how to end the connection: it may be frozen together with this worker. */
  #tellLast() {
    this.#tellAll({ event: "last", detail: this.#ports.size === 1 ? this.#client.session : null });
  }

  #tellAll(message) {
    for (const port of this.#ports) port.postMessage(message);
  }

  async #asked(port, { id, action, topic, options, name, request, lock }) {
    if (action === "subscribe") this.#subscribe(port, topic, options);
    else if (action === "unsubscribe") this.#unsubscribe(port, topic);
    else if (action === "leave") this.#leave(port);
    // A page that crashes says nothing, but it lets its lock go.
    else if (action === "lock") self.navigator.locks.request(lock, () => this.#leave(port));
    else if (action === "disconnect") this.#client.disconnect();
    else if (action === "connect") this.#client.connect();
    else if (action === "probe") this.#client.probe();
    else {
      try {
        port.postMessage({ id, result: await this.#client.command(name, request) });
      } catch ({ code = 0, message, temporary = false }) {
        port.postMessage({ id, error: { code, message, temporary } });
      }
    }
  }

  #subscribe(port, topic, options) {
    const shared = this.#shared.get(topic);
    if (shared) {
      shared.ports.add(port);
      if (shared.subscription.state === "subscribed") this.#catchUp(port, shared, options);
      return;
    }
    const subscription = this.#client.subscribe(topic, options);
    const ports = new Set([port]);
    const own = { subscription, ports, live: null };
    this.#shared.set(topic, own);
    subscription.on("publication", (publication) => {
      if (isSnapshot(publication)) own.live ??= new LiveQuery();
      own.live?.follow(publication);
    });
    for (const event of EVENTS) {
      subscription.on(event, (detail) => {
        const { offset, epoch } = subscription;
        if (detail instanceof Error) detail = { code: detail.code, message: detail.message };
        for (const each of ports) each.postMessage({ topic, event, detail, offset, epoch });
        if (event === "unsubscribed") this.#shared.delete(topic);
      });
    }
  }

  /** Give a page that came later what it has missed since its own position. */
  async #catchUp(port, { subscription, live }, { since } = {}) {
    const { topic, offset, epoch } = subscription;
    if (live) {
      const snapshot = [...live.rows].map(([key, row]) => ({ key, row }));
      port.postMessage({ topic, event: "subscribed", detail: { recovered: true, wasRecovering: true }, offset, epoch });
      port.postMessage({ topic, event: "publication", detail: { data: { snapshot }, tags: { live: "snapshot" } }, offset, epoch });
      return;
    }
    const sameStream = since && since.epoch === epoch;
    let missed = [];
    if (sameStream && since.offset < offset) {
      missed = (await subscription.history({ limit: offset - since.offset, since })).publications ?? [];
    }
    const recovered = Boolean(sameStream) && missed.length === offset - since.offset;
    port.postMessage({ topic, event: "subscribed", detail: { recovered, wasRecovering: Boolean(since) }, offset, epoch });
    for (const detail of recovered ? missed : []) {
      port.postMessage({ topic, event: "publication", detail, offset: detail.offset, epoch });
    }
  }

  #unsubscribe(port, topic) {
    const shared = this.#shared.get(topic);
    if (!shared?.ports.delete(port) || shared.ports.size) return;
    this.#shared.delete(topic);
    shared.subscription.unsubscribe();
  }

  #leave(port) {
    for (const topic of [...this.#shared.keys()]) this.#unsubscribe(port, topic);
    // A worker is frozen with its last page; a socket that stayed open would be a lie.
    if (this.#ports.delete(port) && !this.#ports.size) this.#client.disconnect();
    this.#tellLast();
  }
}

/** A page's view of a client that it may share: the same methods and events as `Client`. */
class SharedClient extends Emitter {
  #port = null;
  #make;
  #calls = new Map();
  #ids = 0;
  #topics = new Map();
  #last = null;
  state = "connecting";

  constructor(make, emulation) {
    super();
    this.#make = make;
    this.#attach();
    self.addEventListener("pagehide", () => {
      if (this.#last) navigator.sendBeacon(emulation, JSON.stringify({ ...this.#last, data: "" }));
      this.#last = null;
      this.#tell({ action: "leave" });
      this.#port = null;
    });
    self.addEventListener("pageshow", ({ persisted }) => persisted && this.#attach());
    for (const change of ["online", "offline"]) self.addEventListener(change, () => this.probe());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.probe());
  }

  connect() {
    this.#tell({ action: "connect" });
    return this;
  }

  disconnect() {
    this.#tell({ action: "disconnect" });
  }

  probe() {
    this.#tell({ action: "probe" });
  }

  subscribe(topic, options = {}) {
    if (this.#topics.has(topic)) throw new TopicsError(105, `There is a subscription to ${topic} already.`);
    const subscription = new Subscription(this, topic, options);
    this.#topics.set(topic, subscription);
    this.#subscribe(subscription);
    return subscription;
  }

  unsubscribe(subscription) {
    if (!this.#topics.delete(subscription.topic)) return;
    this.#tell({ action: "unsubscribe", topic: subscription.topic });
    subscription.ended(0, "unsubscribed by the page");
  }

  live(topic, options) {
    return new LiveQuery(this.subscribe(topic, options));
  }

  publish(topic, data) {
    return this.command("publish", { channel: topic, data });
  }

  async rpc(method, data) {
    return (await this.command("rpc", { method, data })).data;
  }

  command(name, request) {
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#tell({ id, name, request });
    });
  }

  /** Speak to a new hub, or the same one again; subscriptions go on where they were. */
  #attach(port = this.#make((instead) => this.#attach(instead))) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#told(data);
    for (const subscription of this.#topics.values()) this.#subscribe(subscription);
  }

  #tell(message) {
    this.#port?.postMessage(message);
  }

  #subscribe({ topic, options, recoverable, offset, epoch }) {
    const { on, ...wishes } = options;
    const since = recoverable ? { offset, epoch } : options.since;
    this.#tell({ action: "subscribe", topic, options: { ...wishes, since } });
  }

  #told({ id, result, error, topic, event, detail, offset, epoch }) {
    if (id) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(new TopicsError(error.code, error.message, error.temporary));
      else call?.resolve(result);
    } else if (topic) this.#happened(this.#topics.get(topic), event, detail, offset, epoch);
    else {
      if (event === "last") this.#last = detail;
      else if (event === "state") this.state = detail.state;
      this.emit(event, detail);
    }
  }

  #happened(subscription, event, detail, offset, epoch) {
    if (!subscription) return;
    const old = event === "publication" && detail.offset && epoch === subscription.epoch && detail.offset <= subscription.offset;
    if (old) return;
    if (event === "subscribed") subscription.state = "subscribed";
    if (event === "publication" || !detail?.recovered) Object.assign(subscription, { offset, epoch, recoverable: Boolean(epoch) });
    if (event === "unsubscribed") {
      this.#topics.delete(subscription.topic);
      subscription.ended(detail.code, detail.reason);
    } else subscription.emit(event, event === "error" ? new TopicsError(detail.code, detail.message) : detail);
  }
}

/** Return a port to the hub of all tabs; `failed` gets another one, should there be no such hub. */
function port(places, options, failed) {
  const inPage = () => {
    const { port1, port2 } = new MessageChannel();
    new Hub(places, options).join(port2);
    return port1;
  };
  if (typeof SharedWorker === "undefined") return inPage();
  try {
    const worker = new SharedWorker(import.meta.url, { type: "module", name: "channels-topics" });
    worker.onerror = () => failed(inPage());
    worker.port.postMessage({ places, options });
    const lock = `channels-topics-${Math.random()}`;
    const hold = () => new Promise(() => worker.port.postMessage({ action: "lock", lock }));
    self.navigator.locks?.request(lock, hold); // there only over https, and on this machine
    return worker.port;
  } catch {
    return inPage(); // a policy of the page forbids workers
  }
}

/**
 * Connect to this site. All tabs share one connection where the browser has shared workers, unless `shared` is false; a
 * token of a page's own makes a connection of its own.
 */
export function connect({ shared = true, ...options } = {}) {
  const places = endpoints();
  if (!shared || options.token) return new Client(places, options).connect();
  return new SharedClient((failed) => port(places, options, failed), places.emulation);
}

if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope) {
  let hub = null;
  self.onconnect = ({ ports: [page] }) => {
    page.onmessage = ({ data: { places, options } }) => {
      hub ??= new Hub(places, options);
      hub.join(page);
    };
  };
}

// For the other module scripts of a page, which need no address to import from.
if (self.document) self.topics ??= { Client, LiveQuery, TopicsError, connect, endpoints };
