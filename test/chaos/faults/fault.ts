import type { ChaosMesh } from "../mesh.js";
import type { ServiceName } from "../project.js";
import type { Random } from "../random.js";
import type { WriteLog } from "../write-log.js";

/** What a fault may use while it is at work. */
export interface FaultContext {
  readonly mesh: ChaosMesh;
  readonly writeLog: WriteLog;
  readonly random: Random;
  readonly facts: RoundFacts;
  readonly wait: (ms: number) => Promise<void>;
  /** Adds a line to the timeline of the round. */
  readonly note: (what: string) => void;
}

/** What the round's faults did, for the oracle. */
export interface RoundFacts {
  /** Streams that lost messages, or may have. */
  readonly lostMessages: Set<string>;
  /** Databases that went back to a backup. */
  readonly restored: Set<ServiceName>;
  /** Poison that the broker has confirmed, by subject. */
  readonly poison: Map<string, Poison>;
  readonly timeline: TimelineEntry[];
}

export interface Poison {
  readonly stream: string;
  readonly durables: readonly string[];
}

export interface TimelineEntry {
  /** Since the start of the round. */
  readonly ms: number;
  readonly what: string;
}

/** A planned fault. */
export interface Fault {
  readonly kind: string;
  readonly what: string;
  /** Names of what it acts on. Two faults of a round never share one. */
  readonly holds: readonly string[];
  readonly atMs: number;
  readonly forMs: number;
  /** Begins the fault. Resolves with a function that ends it and repairs what it broke. */
  readonly begin: (context: FaultContext) => Promise<() => Promise<void>>;
}

export type FaultPlan = Pick<Fault, "what" | "holds" | "begin"> & {
  /** Shortest duration. */
  readonly leastMs?: number;
};

/** One kind of fault, which plans a fault with random targets. */
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
