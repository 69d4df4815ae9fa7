import pg from "pg";
import type { ServiceName } from "./project.js";

/** `unknown`: the connection was lost during COMMIT, so the transaction may have been committed or not. */
export type Outcome = "committed" | "refused" | "unknown";

/** A container that a writer created. Its namespace is unique in a run, its id is not. */
export interface LoggedContainer {
  readonly id: string;
  readonly namespace: string;
  outcome: Outcome;
  /** A writer deleted it, or may have: then its hook need not have been called. */
  deletedByWriter: boolean;
}

/** What the writers did, as far as the database has answered. */
export interface WriteLog {
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Ids of users that existed at some time. */
  readonly users: Set<string>;
  readonly containers: Map<string, LoggedContainer>;
  note(outcome: Outcome): void;
  /** The service's database was restored from a backup: forgets what was written to it. */
  forget(service: ServiceName): void;
}

export function createWriteLog(): WriteLog {
  const counts = { committed: 0, refused: 0, unknown: 0 };
  const users = new Set<string>();
  const containers = new Map<string, LoggedContainer>();
  return {
    counts,
    users,
    containers,
    note(outcome) {
      counts[outcome] += 1;
    },
    forget(service) {
      if (service === "compute") containers.clear();
    },
  };
}

/** An error from the database means that it has rolled back. After any other error the outcome is unknown. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof pg.DatabaseError)) return "unknown";
  return /^(57P|08)/.test(error.code ?? "") ? "unknown" : "refused";
}
