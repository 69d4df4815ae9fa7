import type { Ledger } from "../ledger.js";
import type { ChaosMesh } from "../mesh.js";
import type { ServiceName } from "../project.js";
import type { Random } from "../random.js";

/** What a fault may use while it is at work. */
export interface Striking {
  readonly mesh: ChaosMesh;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly facts: RoundFacts;
  readonly wait: (ms: number) => Promise<void>;
  /** Into the diary of the round. */
  readonly note: (what: string) => void;
}

/** What a round did to the mesh, as far as the oracle has to know. */
export interface RoundFacts {
  /** Streams that lost messages, or may have. */
  readonly lostMessages: Set<string>;
  /** Databases that went back to a backup. */
  readonly restored: Set<ServiceName>;
  /** Poison that the broker has confirmed, by subject. */
  readonly poison: Map<string, Poison>;
  readonly diary: DiaryEntry[];
}

export interface Poison {
  readonly stream: string;
  readonly durables: readonly string[];
}

export interface DiaryEntry {
  /** Since the start of the round. */
  readonly ms: number;
  readonly what: string;
}

/** A fault that was planned: pure data and what it does. */
export interface Fault {
  readonly kind: string;
  readonly what: string;
  /** No two faults of a round take hold of the same thing. */
  readonly holds: readonly string[];
  readonly atMs: number;
  readonly forMs: number;
  /** Begins; what it gives ends it, and leaves nothing broken. */
  readonly strike: (striking: Striking) => Promise<() => Promise<void>>;
}

export type FaultPlan = Pick<Fault, "what" | "holds" | "strike"> & {
  /** At least so long. */
  readonly leastMs?: number;
};

/** One kind: makes a fault of it, aimed by chance. */
export interface FaultKind {
  readonly kind: string;
  readonly weight: number;
  /** Where it makes sense: on one broker or in a cluster; both unless told. */
  readonly on?: "single" | "cluster";
  plan(random: Random, mesh: ChaosMesh): FaultPlan;
}

export const STREAM_OF: Readonly<Record<ServiceName, string>> = {
  auth: "AUTH",
  sfs: "SFS",
  compute: "COMPUTE",
  gateway: "GATEWAY",
};

export const DURABLES = [
  { durable: "sfs_auth_user", stream: "AUTH", service: "sfs" },
  { durable: "compute_auth_user", stream: "AUTH", service: "compute" },
  { durable: "gateway_compute_container", stream: "COMPUTE", service: "gateway" },
] as const;
