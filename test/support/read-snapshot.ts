import { createMutex } from "../../runtime/database/mutex.js";
import { takeSnapshot } from "../../runtime/resync/snapshot.js";
import type { SnapshotOptions } from "../../runtime/resync/snapshot-run.js";
import { silent } from "./loggers.js";

type Reading = Pick<SnapshotOptions, "pool" | "model" | "env" | "noteSeq"> & Partial<SnapshotOptions>;

/** Reads one snapshot, where no consumer runs that would. */
export function readSnapshot(reading: Reading) {
  return takeSnapshot({
    logger: silent,
    signal: new AbortController().signal,
    exclusively: createMutex(),
    onTasks: () => undefined,
    onPlaceholder: () => undefined,
    ...reading,
  });
}
