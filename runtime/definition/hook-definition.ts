import type { ClientBase } from "pg";
import type { MeshEvent } from "./event-definition.js";

/*
 * What a mesh writes itself: handlers of events, hooks, and what they are given.
 */

/** The connection of a transaction. What is written through it commits or rolls back with the event. */
export type Tx = Pick<ClientBase, "query">;

/** What a handler gets: the event, and the transaction that applies it. */
export interface HandlerContext<E> {
  readonly event: E;
  readonly tx: Tx;
  readonly subject: string;
  readonly logger: Logger;
  /** `event`: a message was received. `snapshot`: the event was lost, and its outcome was found in the source or follows from a later event. */
  readonly origin: "event" | "snapshot";
}

/**
 * A hook of the service for one event. It runs last in the event's transaction, not for a duplicate or stale event. Where it throws,
 * or takes longer than 60 s, the transaction is rolled back; the event is retried with back-off, and becomes a dead letter
 * after its attempts. `tx` must not be used after the call.
 */
export type Handler<E> = (context: HandlerContext<E>) => Promise<void>;

/** What a handler gets in a service without a database: the event, and nothing that could be written to. */
export interface MessageContext<E> {
  readonly event: E;
  readonly subject: string;
  readonly logger: Logger;
  /** Which attempt at the message this is, from 1. */
  readonly attempt: number;
  /** Aborted when the service stops, or after 60 s. */
  readonly signal: AbortSignal;
}

/**
 * A hook of a service without a database, for one event: stateless, and called at least once. It runs again for a message that is
 * delivered again, as after a crash, so it should do the same the second time. Where it throws, or takes longer than 60 s, the
 * event is retried with back-off, and becomes a dead letter after its attempts; later events of its entity wait meanwhile in this
 * replica.
 */
export type MessageHandler<E> = (context: MessageContext<E>) => Promise<void>;

/** What a hook before a deletion gets: the row that is to go. */
export interface BeforeContext<Row> {
  readonly row: Row;
  readonly logger: Logger;
  /** Aborted when the service stops, or after 60 s. */
  readonly signal: AbortSignal;
}

/**
 * A hook before a cascade deletes a row. It is called at least once per row, outside any transaction, and retried with back-off until it
 * succeeds; the row stays until then.
 */
export type BeforeDelete<Row> = (context: BeforeContext<Row>) => Promise<void>;

/** Where hooks log: JSON lines on standard output. An `error` among the fields is written with its stack and cause. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
  /** Whether each event that is published or applied has a line of its own (`LOG_EVENTS=on`). Children have the same. */
  readonly logsEvents?: true;
}

/** What the start hook gets. */
export interface StartContext {
  /** Every variable of mesh.yaml's `environment`, defaults filled in. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

/** Runs once before the service takes work: the place to check what the hooks need. */
export type StartHook = (context: StartContext) => Promise<void> | void;

/** The hooks that every service may have. */
export interface ServiceHooks {
  /** Runs once before the service takes work; throwing refuses the start. */
  readonly start?: StartHook;
}

/** The hooks that a consumer may have, whatever it hears. */
export interface ConsumerHooks {
  /**
   * Runs for every event that is heard, of whichever owner: after the event's own handler, in the same transaction and within
   * its time. `subject` says which event it is. Those of a named consumer are its own alone.
   */
  readonly onEvent?: Handler<MeshEvent>;
}

/** The hooks that a consumer may have in a service without a database. */
export interface MessageHooks {
  /** Runs for every event that is heard, of whichever owner, after the event's own handler. Those of a named consumer are its own alone. */
  readonly onEvent?: MessageHandler<MeshEvent>;
}

/** The hooks that every service without a database may have. */
export interface StatelessHooks extends ServiceHooks, MessageHooks {}

/** The hooks that every service may have which subscribes to something. */
export interface SubscriberHooks extends ServiceHooks, ConsumerHooks {}
