import { randomUUID } from "node:crypto";
import pg from "pg";
import type { Delivery } from "../../runtime/broker/broker.js";
import type { ConsumedEvent, ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import type { EventDefinition, MeshEvent, Validator } from "../../runtime/definition/event-definition.js";
import type { BeforeDelete, Handler } from "../../runtime/definition/hook-definition.js";
import type { TableDefinition } from "../../runtime/definition/table-definition.js";
import { meshMigrations } from "../../runtime/schema/files.js";
import { streamPlan } from "./broker-plans.js";
import { eventDefinition } from "./event-definition.js";
import { createDatabase } from "./servers.js";

export interface UserPayload {
  readonly user_id: string;
  readonly username: string;
  readonly display_name?: string;
}
export type UserEvent = MeshEvent & UserPayload;

/** The documented cache, exactly, beside tables with cascade rules. */
const TABLES = `
CREATE TABLE user_cache (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL DEFAULT '',
    synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner_id TEXT);
CREATE INDEX ON namespaces (owner_id);
CREATE TABLE ssh_keys (key_id TEXT PRIMARY KEY, user_id TEXT NOT NULL);
CREATE INDEX ON ssh_keys (user_id);
CREATE TABLE containers (
    container_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, namespace TEXT NOT NULL DEFAULT '',
    memory_mb BIGINT NOT NULL DEFAULT 512, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ON containers (user_id);
CREATE TABLE calls (place BIGINT GENERATED ALWAYS AS IDENTITY, what TEXT NOT NULL);
CREATE FUNCTION attach_container() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM mesh.refuse_deleted('auth.user', ARRAY(SELECT user_id FROM added), 'containers', 'user_id');
  PERFORM mesh.end_tasks('containers', ARRAY(SELECT container_id FROM added)); RETURN NULL;
END $$;
CREATE TRIGGER attach AFTER INSERT ON containers REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION attach_container();
CREATE TABLE profile_cache (
    user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, city TEXT, plan TEXT NOT NULL DEFAULT 'free'
);
`;

export async function createServiceDatabase(adminUrl: string): Promise<string> {
  const url = await createDatabase(adminUrl, "consume");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE SCHEMA mesh");
  for (const { text } of meshMigrations) await client.query(text);
  await client.query(TABLES);
  await client.end();
  return url;
}

export function createPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8, options: "-c TimeZone=UTC" });
  // Idle connections are cut on purpose in some tests.
  pool.on("error", () => undefined);
  return pool;
}

export const userCache: TableDefinition = {
  name: "user_cache",
  key: "user_id",
  cacheOf: "auth.user",
  columns: [
    { name: "user_id", type: "text" },
    { name: "username", type: "text", unique: true },
    { name: "display_name", type: "text", defaulted: true },
    { name: "synced_at", type: "timestamp", nullable: true, defaulted: true },
  ],
};

const profileCache: TableDefinition = {
  name: "profile_cache",
  key: "user_id",
  cacheOf: "auth.user",
  columns: [
    { name: "user_id", type: "text" },
    { name: "username", type: "text", unique: true },
    { name: "city", type: "text", nullable: true },
    { name: "plan", type: "text", defaulted: true },
  ],
};

const namespaces: TableDefinition = {
  name: "namespaces",
  key: "namespace_id",
  columns: [
    { name: "namespace_id", type: "nanoid" },
    { name: "name", type: "text", unique: true },
    { name: "owner_id", type: "text", nullable: true },
  ],
};

const sshKeys: TableDefinition = {
  name: "ssh_keys",
  key: "key_id",
  columns: [
    { name: "key_id", type: "nanoid" },
    { name: "user_id", type: "text" },
  ],
};

export const containers: TableDefinition = {
  name: "containers",
  key: "container_id",
  columns: [
    { name: "container_id", type: "nanoid" },
    { name: "user_id", type: "text" },
    { name: "namespace", type: "text", defaulted: true },
    { name: "memory_mb", type: "bigint", defaulted: true },
    { name: "created_at", type: "timestamp", defaulted: true },
  ],
};

function validator(fields: readonly string[]): Validator<MeshEvent> {
  const validate: Validator<MeshEvent> = (data: unknown): data is MeshEvent => {
    const record = data as Record<string, unknown> | null;
    const metadata = record?.metadata as Record<string, unknown> | undefined;
    const missing = fields.find((field) => typeof record?.[field] !== "string");
    const broken = typeof metadata?.entity_id !== "string" ? "metadata" : missing;
    validate.errors =
      broken === undefined
        ? null
        : [
            {
              instancePath: "",
              keyword: "required",
              message: `must have required property '${broken}'`,
              params: {},
            },
          ];
    return broken === undefined;
  };
  return validate;
}

export interface UserHooks {
  readonly created?: Handler<UserEvent>;
  readonly updated?: Handler<UserEvent>;
  readonly deleted?: Handler<UserEvent>;
  readonly before?: BeforeDelete<{ readonly container_id: string }>;
}

export interface DefinitionChoices {
  readonly hooks?: UserHooks;
  readonly stream?: string;
  readonly durable?: string;
  readonly attempts?: number;
  readonly backoffSeconds?: readonly number[];
  readonly ackWaitSeconds?: number;
  readonly batch?: number;
  readonly sync?: boolean;
  readonly everySeconds?: number;
}

export function userConsumer(choices: DefinitionChoices = {}): ConsumerDefinition {
  const { hooks = {}, stream = "AUTH", durable = "compute_auth_user", batch = 200 } = choices;
  const fields = ["user_id", "username", "display_name"];
  const before: ConsumedEvent["cascades"] =
    hooks.before === undefined
      ? [{ action: "delete", table: containers, column: "user_id" }]
      : [
          {
            action: "delete",
            table: containers,
            column: "user_id",
            before: { name: "tearDown", call: hooks.before },
          },
        ];
  return {
    durable,
    stream: streamPlan({ name: stream, subjects: [`${stream}.user.*.*`] }),
    filter: `${stream}.user.*.*`,
    entity: "auth.user",
    cache: userCache,
    ...(choices.sync === true
      ? {
          sync: {
            urlVariable: "AUTH_SERVICE_URL",
            keyVariable: "SFS_TO_AUTH_KEY",
            path: "/api/users",
            header: "authorization",
            everySeconds: choices.everySeconds ?? 3600,
          },
        }
      : {}),
    delivery: {
      attempts: choices.attempts ?? 3,
      backoffSeconds: choices.backoffSeconds ?? [0.2, 0.2],
      ackWaitSeconds: choices.ackWaitSeconds ?? 30,
      maxAckPending: 5000,
      batch,
    },
    events: [
      {
        event: eventDefinition({
          name: "UserCreated",
          action: "created",
          change: "create",
          fields,
          validate: validator(["user_id", "username"]),
        }),
        handler: hooks.created,
      },
      {
        event: eventDefinition({
          name: "UserUpdated",
          fields,
          validate: validator(["user_id", "username"]),
        }),
        handler: hooks.updated,
      },
      {
        event: eventDefinition({
          name: "UserDeleted",
          action: "deleted",
          change: "delete",
          fields: ["user_id", "username"],
          validate: validator(["user_id"]),
        }),
        handler: hooks.deleted,
        cascades: [
          { action: "set_null", table: namespaces, column: "owner_id" },
          ...before,
          { action: "delete", table: sshKeys, column: "user_id" },
        ],
      },
    ] as readonly ConsumedEvent<never>[],
  };
}

/** A cache whose events each carry some of its columns. */
export function profileConsumer(): ConsumerDefinition {
  const event = (
    name: string,
    action: string,
    change: EventDefinition["change"],
    fields: readonly string[],
  ) => ({
    event: eventDefinition({
      name,
      action,
      change,
      fields: ["user_id", ...fields],
      validate: validator(["user_id"]),
    }),
  });
  return {
    ...userConsumer({ durable: "profile_auth_user" }),
    cache: profileCache,
    events: [
      event("Registered", "created", "create", ["username"]),
      event("Renamed", "renamed", "update", ["username"]),
      event("Moved", "moved", "update", ["city"]),
      event("Upgraded", "upgraded", "update", ["plan"]),
      event("Deleted", "deleted", "delete", []),
    ],
  };
}

export type Outcome = "ack" | "term" | { readonly nak: number };

/** A delivery that records how it was settled. */
export interface TestDelivery extends Delivery {
  readonly outcome: () => Outcome | undefined;
  readonly beats: () => number;
}

export interface Sent {
  readonly action: string;
  readonly id: string;
  readonly seq: number;
  readonly version?: number;
  readonly eventId?: string;
  readonly deliveries?: number;
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly raw?: Uint8Array | string;
}

export function eventBody(sent: Omit<Sent, "seq" | "action">): string {
  const metadata = {
    event_id: sent.eventId ?? randomUUID(),
    entity_id: sent.id,
    timestamp: 1705920000,
    source: "auth-service",
    ...(sent.version === undefined ? {} : { version: sent.version }),
  };
  return JSON.stringify({ metadata, user_id: sent.id, username: `name-${sent.id}`, ...sent.payload });
}

export function deliver(sent: Sent): TestDelivery {
  let outcome: Outcome | undefined;
  let beats = 0;
  const body = sent.raw ?? eventBody(sent);
  return {
    subject: `auth.user.${sent.id}.${sent.action}`,
    stream: "AUTH",
    seq: sent.seq,
    time: new Date(),
    body: typeof body === "string" ? Buffer.from(body) : body,
    headers: {},
    deliveries: sent.deliveries ?? 1,
    ack: () => {
      outcome ??= "ack";
    },
    nak: (delayMs) => {
      outcome ??= { nak: delayMs };
    },
    term: () => {
      outcome ??= "term";
    },
    working: () => {
      beats += 1;
    },
    outcome: () => outcome,
    beats: () => beats,
  };
}
