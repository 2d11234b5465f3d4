// Types of topics.js.

export type State = "connecting" | "live" | "catching up" | "offline" | "closed";

/** An answer that is an error: `code` and `temporary` are the protocol's; 0 where no answer came. */
export class TopicsError extends Error {
  readonly code: number;
  readonly temporary: boolean;
}

/** A place in a topic's stream. */
export interface Position {
  offset: number;
  epoch: string;
}

export interface ClientInfo {
  user: string;
  client: string;
  conn_info?: unknown;
  chan_info?: unknown;
}

export interface Publication<Data = unknown> {
  data: Data;
  offset?: number;
  tags?: Record<string, string>;
  time?: number;
  info?: ClientInfo;
}

export interface SubscriptionEvents<Data = unknown> {
  subscribed: { recovered: boolean; wasRecovering: boolean; data?: unknown };
  publication: Publication<Data>;
  join: ClientInfo;
  leave: ClientInfo;
  unsubscribed: { code: number; reason: string };
  error: TopicsError;
}

export interface SubscriptionOptions<Data = unknown> {
  /** Listeners, which hear of what comes at once. */
  on?: { [Event in keyof SubscriptionEvents<Data>]?: (detail: SubscriptionEvents<Data>[Event]) => void };
  /** Get what was published after this position. */
  since?: Position;
  joinLeave?: boolean;
  /** Get differences in place of whole documents, where the topic allows it. */
  delta?: boolean;
  /** A filter by tags, as the protocol has it. */
  tags?: object;
  token?: string;
  data?: unknown;
}

export interface Subscription<Data = unknown> {
  readonly topic: string;
  readonly state: "subscribing" | "subscribed" | "unsubscribed";
  readonly offset: number;
  readonly epoch: string;
  on<Event extends keyof SubscriptionEvents<Data>>(
    event: Event,
    listener: (detail: SubscriptionEvents<Data>[Event]) => void,
  ): () => void;
  publish(data: Data): Promise<object>;
  /** Tell the other subscribers something that nobody keeps; of many, the latest counts. */
  publishEphemeral(data: unknown): Promise<unknown>;
  /** Call a method of the topic. */
  rpc<Result = unknown>(method: string, data?: object): Promise<Result>;
  history(options?: { limit?: number; since?: Position; reverse?: boolean }): Promise<
    Position & { publications: Publication<Data>[] }
  >;
  presence(): Promise<Record<string, ClientInfo>>;
  presenceStats(): Promise<{ clients: number; users: number }>;
  unsubscribe(): void;
}

/** A change of a live query: `after` is the key before the row, null for the first; only for queries with an order. */
export interface Change<Row = unknown> {
  op: "insert" | "change" | "delete";
  key: number | string;
  row?: Row;
  after?: number | string | null;
}

/** The rows of a live query; `Connection.live` makes it. */
export class LiveQuery<Row = unknown> {
  private constructor();
  readonly subscription: Subscription;
  /** As they are, in order. */
  readonly rows: ReadonlyMap<number | string, Row>;
  /** Hear of each change: `changes` is undefined if all rows came anew. */
  on(
    event: "rows",
    listener: (detail: { rows: ReadonlyMap<number | string, Row>; changes: Change<Row>[] | undefined }) => void,
  ): () => void;
  /** Show the rows as children of an element; `render` returns a new node for a row, or the one that it has. */
  into<Shown extends ChildNode>(
    parent: ParentNode & Node,
    render: (row: Row, key: number | string, node: Shown | undefined) => Shown,
  ): () => void;
  unsubscribe(): void;
}

export interface ClientEvents {
  state: { state: State; code?: number; reason?: string };
  /** Of topics that the server has subscribed this client to. */
  publication: Publication & { topic: string };
  subscribed: { topic: string; recovered: boolean };
}

export interface Connection {
  readonly state: State;
  on<Event extends keyof ClientEvents>(event: Event, listener: (detail: ClientEvents[Event]) => void): () => void;
  connect(): this;
  disconnect(): void;
  /**
   * Find out at once whether the connection still works, and make it anew if there is no answer within 5 seconds. The client
   * does so by itself when its page is looked at again, when the network is back, and when a command is not answered.
   */
  probe(): void;
  subscribe<Data = unknown>(topic: string, options?: SubscriptionOptions<Data>): Subscription<Data>;
  /** Have the rows of a live query, as they are. */
  live<Row = unknown>(topic: string, options?: SubscriptionOptions): LiveQuery<Row>;
  publish(topic: string, data: unknown): Promise<object>;
  rpc<Result = unknown>(method: string, data?: object): Promise<Result>;
}

export interface Endpoints {
  websocket: string;
  sse: string;
  emulation: string;
}

export interface ClientOptions {
  token?: string;
  data?: unknown;
  name?: string;
}

/** A connection of this page's own. */
export class Client implements Connection {
  constructor(endpoints: Endpoints, options?: ClientOptions);
  readonly id: string;
  readonly state: State;
  on: Connection["on"];
  connect(): this;
  disconnect(): void;
  probe(): void;
  subscribe: Connection["subscribe"];
  live: Connection["live"];
  publish: Connection["publish"];
  rpc: Connection["rpc"];
}

/** Where this site's topics are. */
export function endpoints(base?: string): Endpoints;

/** Connect to this site; all tabs share one connection unless `shared` is false or there is a token. */
export function connect(options?: ClientOptions & { shared?: boolean }): Connection;

/** What a delta of Fossil's format makes of `source`. */
export function applyDelta(source: Uint8Array, delta: Uint8Array): Uint8Array;

declare global {
  /** What a page's other module scripts have without an import. */
  var topics: {
    Client: typeof Client;
    LiveQuery: typeof LiveQuery;
    TopicsError: typeof TopicsError;
    connect: typeof connect;
    endpoints: typeof endpoints;
  };
}
