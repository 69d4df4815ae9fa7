import type { Parts } from "@meshwright/runtime/simulation";
import type { Pool } from "pg";
import type { Adversary, SimulatedServer } from "./broker/index.js";
import type { CoverageCounter } from "./coverage.js";
import type { ForeignOwner } from "./foreign-owners.js";
import type { History, Recorder } from "./history.js";
import type { OwnedTable, PlayedService, SimulatedMesh } from "./mesh.js";
import type { Plan } from "./plan.js";
import type { Backends } from "./postgres/backends.js";
import type { DatabaseNetwork } from "./postgres/socket.js";
import type { Random } from "./random.js";
import type { Actor, Schedule, TraceLine } from "./schedule.js";
import type { VirtualTime } from "./time.js";

/*
 * The types that the simulator's parts share. A world is a whole mesh in one Node process: services, writers, broker
 * and network, on one clock and one schedule. This file holds types only, so that every part can import it.
 */

/** What outlives a world: the description of the mesh, and connections to the real PostgreSQL server. */
export interface Testbed {
  readonly mesh: SimulatedMesh;
  readonly backends: Backends;
  readonly coverage: CoverageCounter;
}

export interface World {
  readonly plan: Plan;
  readonly mesh: SimulatedMesh;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly time: VirtualTime;
  readonly server: SimulatedServer;
  readonly adversary: Adversary;
  readonly databaseNetwork: DatabaseNetwork;
  /** The processes that run, frozen ones included. */
  processes(): readonly ServiceProcess[];
  /** Decides what happens to the next HTTP request for a snapshot. */
  nextSourceFault(): SourceFault;
  /** Decides whether this hook call fails. Each call fails at most twice. */
  hookFails(call: string): boolean;
  /** A `before` hook was called for this row. */
  recordHookCall(table: string, key: string): void;
  /** Events on this subject that were committed, at least and at most; adds up. */
  recordPublished(subject: string, times: Times): void;
  /** A service without a database has handed this message to its hooks, and they have ended. */
  recordHandled(durable: string, message: string): void;
  /** A writer is about to delete this row, which calls no hook. */
  recordWriterDeletion(table: OwnedTable, key: string): void;
  readonly history: Recorder;
  readonly coverage: CoverageCounter;
  /** The external services, by entity. */
  readonly foreign: readonly ForeignOwner[];
  /** Adds a line to the trace that is not a step. */
  note(actor: Pick<Actor, "name">, what: string): void;
  /** Reports a broken promise that no check at the end would find. */
  fail(reason: string): void;
}

export interface Times {
  readonly least: number;
  readonly most: number;
}

/**
 * `fails`: status 500. `breaks`: the connection breaks in the middle of the body. `ends`: the body ends too early, as if
 * it were complete.
 */
export type SourceFault = "none" | "fails" | "breaks" | "ends";

/** One process of a service, from its start to its end. A restart is another one. */
export interface ServiceProcess {
  readonly actor: Actor;
  readonly service: PlayedService;
  /** Connections for the lists that others read; undefined without a database. */
  readonly requests: Pool | undefined;
  /** Resolves when the process ends; never rejects. */
  readonly ended: Promise<void>;
  /** It is running and has started its parts. */
  serving(): boolean;
  parts(): Parts | undefined;
  /** Breaks its connection to the broker. */
  cutBroker(): void;
  /** Delivers the outbox's notification to those of its connections that listen. */
  notify(): void;
  /** kill -9 */
  kill(): void;
  /** SIGTERM. Resolves when it has ended by itself. */
  stop(): Promise<void>;
}

/** What the oracle checks, once the mesh is quiescent. */
export interface Outcome {
  readonly world: Pick<World, "plan" | "mesh" | "server" | "foreign">;
  readonly trace: readonly TraceLine[];
  readonly steps: number;
  readonly virtualMs: number;
  readonly failures: readonly string[];
  /** `table key` of each row for which a `before` hook was called. */
  readonly hookCalls: ReadonlySet<string>;
  /** By subject: how many events that no table implies were committed. */
  readonly published: ReadonlyMap<string, Times>;
  /** How often a service without a database handled what: `durable event_id`, `durable subject`. */
  readonly handled: ReadonlyMap<string, number>;
  /** `table key` of each row that a writer deleted. */
  readonly writerDeletions: ReadonlySet<string>;
  readonly history: History;
  /** Subjects of the poison messages. */
  readonly poison: readonly string[];
  /** What was still to be done when time ran out; undefined when the mesh became quiescent. */
  readonly unfinished: string | undefined;
}
