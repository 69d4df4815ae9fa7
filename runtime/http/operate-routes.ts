import type { FastifyInstance } from "fastify";
import type { SnapshotChoice } from "../resync/resync.js";
import type { SnapshotReport } from "../resync/snapshot-run.js";
import { Problem } from "./problem.js";

/** The outcome of one durable's resync: `report` or `error`. */
export interface ResyncResult {
  readonly durable: string;
  /** What the snapshot has changed; absent where it failed. */
  readonly report?: SnapshotReport;
  readonly error?: string;
}

/** What an operator may ask of a running service. */
export interface Operations {
  /** Durables of the consumers that have a source to be compared with. */
  readonly resyncable: () => readonly string[];
  /** Takes a snapshot of the source, as at start-up, and repairs the cache. */
  readonly resync: (durable: string, how: SnapshotChoice) => Promise<ResyncResult>;
}

interface ResyncRequest {
  Querystring: { readonly durable?: string; readonly trust?: string };
}

/**
 * `POST /operate/resync`: of the consumer in `?durable=`, else of all. With `?trust=source` the source's state replaces later
 * versions of the cache. It runs inside the service, which alone knows how far its consumers are, and answers when it is done,
 * which can take minutes.
 */
export function serveOperations(app: FastifyInstance, operations: Operations): void {
  app.post<ResyncRequest>("/operate/resync", async (request) => {
    const { durable, trust } = request.query;
    if (trust !== undefined && trust !== "source")
      throw new Problem("filter", `"trust" is "source", or left out.`);
    const known = operations.resyncable();
    if (durable !== undefined && !known.includes(durable)) {
      const names = known.length === 0 ? "This service has none" : `It has ${known.join(", ")}`;
      throw new Problem("not-found", `There is no consumer "${durable}" with a source. ${names}.`);
    }
    // Nothing is sent while the snapshot is taken: the idle limit must not close the connection.
    request.raw.setTimeout(0);
    const consumers: ResyncResult[] = [];
    for (const name of durable === undefined ? known : [durable])
      consumers.push(await operations.resync(name, { trustSource: trust === "source" }));
    return { consumers };
  });
}
