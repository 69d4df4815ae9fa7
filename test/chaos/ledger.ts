import pg from "pg";
import type { ServiceName } from "./project.js";

/** `unknown`: the connection went while committing, and nobody can say which it was. */
export type Outcome = "committed" | "refused" | "unknown";

/** A container that somebody asked for, known by its namespace, which no other ever has. */
export interface LedgerContainer {
  readonly id: string;
  readonly namespace: string;
  outcome: Outcome;
  /** A writer deleted it, or may have: then no hook need have been called. */
  deletedByWriter: boolean;
}

/** What the writers did, as far as they were told. */
export interface Ledger {
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Users that existed at some time. */
  readonly users: Set<string>;
  readonly containers: Map<string, LedgerContainer>;
  note(outcome: Outcome): void;
  /** Databases whose rows are what a backup says, from now on. */
  forget(service: ServiceName): void;
}

export function createLedger(): Ledger {
  const counts = { committed: 0, refused: 0, unknown: 0 };
  const users = new Set<string>();
  const containers = new Map<string, LedgerContainer>();
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

/** A database that answers with an error has rolled back; anything else says nothing about the commit. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof pg.DatabaseError)) return "unknown";
  return /^(57P|08)/.test(error.code ?? "") ? "unknown" : "refused";
}
