import type { CallVerb } from "../vocabulary/call-verbs.js";
import type { Envelope } from "../vocabulary/envelopes.js";
import type { Naming } from "../vocabulary/namings.js";
import type { Consumer } from "./consumer-model.js";

/*
 * Services, what they serve and call, and the streams of their events.
 */

export interface Service {
  /** As written: `sfs`. First token of its subjects, folder under `generated/`. */
  readonly name: string;
  readonly description: string | undefined;
  /** `metadata.source` of every event that it publishes: `sfs-service`. */
  readonly source: string;
  /** A service written by hand elsewhere: only its types, validators and schemas are emitted. */
  readonly external: boolean;
  /** How an external service's messages say whose they are; undefined: the documented `metadata`. */
  readonly envelope: Exclude<Envelope, "mesh"> | undefined;
  readonly naming: Naming;
  /** undefined: an external service, or one that only hands to its hooks what it hears, at least once. */
  readonly database: string | undefined;
  /** Of a service without a database: the stream of its dead letters. */
  readonly deadLetters: DeadLetters | undefined;
  /** As written: `auth.user.*`. */
  readonly publishes: readonly SubjectPattern[];
  readonly subscribes: readonly SubjectPattern[];
  /** Names of the stream that holds its events; undefined when it publishes none. */
  readonly stream: string | undefined;
  /** Names of its own events (`UserCreated`), in canonical order. */
  readonly events: readonly string[];
  readonly consumers: readonly Consumer[];
  readonly http: Http | undefined;
  /** Everything it reads from its environment, the documented variables first. */
  readonly environment: readonly EnvironmentVariable[];
  readonly names: {
    /** `Sfs`: prefix of its types. */
    readonly type: string;
    /** `sfs`: prefix of its constants and functions. */
    readonly value: string;
  };
}

export interface DeadLetters {
  /** `DEAD_MAILER` */
  readonly stream: string;
  /** As `streams` of the mesh says; undefined: 1 under `mesh dev`, 3 in production. */
  readonly replicas: number | undefined;
}

export interface SubjectPattern {
  /** As the file says it: `auth.user.*`, `sfs.*`. */
  readonly text: string;
  /** As a NATS filter: `auth.user.*.*`, `sfs.*.*.*`. The text of mesh.yaml itself would match nothing. */
  readonly filter: string;
  readonly service: string;
  /** undefined: every entity of the service. */
  readonly entity: string | undefined;
}

export interface Http {
  readonly port: number;
  readonly resources: readonly Resource[];
}

export interface Resource {
  /** `/api/users` */
  readonly path: string;
  readonly table: string;
  /** A cache table, or a view, is served for reading only. */
  readonly readonly: boolean;
}

export interface EnvironmentVariable {
  readonly name: string;
  /** The runtime reads it, whatever mesh.yaml says. */
  readonly builtIn: boolean;
  readonly description: string;
  readonly required: boolean;
  readonly default: string | undefined;
  readonly example: string | undefined;
}

export interface Stream {
  /** `AUTH` */
  readonly name: string;
  readonly service: string;
  /** `auth.user.*.*` */
  readonly subjects: readonly string[];
  /** undefined: 1 under `mesh dev`, 3 in production. */
  readonly replicas: number | undefined;
  readonly maxAgeSeconds: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly duplicateWindowSeconds: number;
  /** How long a deletion is remembered; undefined: for ever. */
  readonly tombstoneSeconds: number | undefined;
  /** Of an external owner: how its messages say whose they are. */
  readonly envelope: Service["envelope"];
  /** True for an external owner: services wait for its stream. */
  readonly external: boolean;
  /** True where the file says how an external owner's stream is kept: it is then provisioned like any other; else only `mesh dev` stands in and makes it. */
  readonly described: true | undefined;
}

/** What one service may call of another over HTTP, and everything else is refused to it. */
export interface Call {
  readonly caller: string;
  readonly callee: string;
  /** `AUTH_SERVICE_URL` */
  readonly urlVariable: string;
  /** `SFS_TO_AUTH_KEY`: what the caller shows, and the callee knows it by. No other pair has the same. */
  readonly keyVariable: string;
  readonly reasons: readonly ("sync" | "existence" | "declared")[];
  /** For `existence` alone: the caller runs without it, and lost deletions stay unnoticed. */
  readonly optional: true | undefined;
  readonly grants: readonly Grant[];
}

export interface Grant {
  /** `/api/users`, and the rows below it. */
  readonly path: string;
  readonly verbs: readonly CallVerb[];
}
