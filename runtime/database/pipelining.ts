import type { PoolClient } from "pg";

/*
 * Whether the driver sends statements without waiting for the answers to those before. It is told so when it connects; here that changes
 * while a transaction lasts, since a cursor cannot be read on a connection that pipelines.
 */

/** Call it while no statement is under way. With a driver that allows no such change each statement waits for the one before. */
export function setPipelining(client: PoolClient, pipelining: boolean): void {
  Reflect.set(client, "pipeline", pipelining);
}

/** What is sent in this turn of the event loop, by one write: each costs as much as a statement. */
export function writeTogether({ connection: { stream } }: PoolClient): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
