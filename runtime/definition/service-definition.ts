import type { ConsumerDefinition, StatelessConsumerDefinition } from "./consumer-definition.js";
import type { EventDefinition, MeshEvent } from "./event-definition.js";
import type { Handler, MessageHandler, StartHook } from "./hook-definition.js";
import type { StreamDefinition } from "./stream-definition.js";
import type { TableDefinition } from "./table-definition.js";

/*
 * A whole service, as generated code describes it.
 */

/** A table under REST at `path`. */
export interface ResourceDefinition {
  readonly path: string;
  readonly table: TableDefinition;
}

/** What a service answers over HTTP. */
export interface HttpDefinition {
  readonly port: number;
  readonly resources: readonly ResourceDefinition[];
  /** The OpenAPI document of all of it, which it serves. Absent: none. */
  readonly openApi?: URL;
}

/** The database of a service. */
export interface DatabaseDefinition {
  readonly name: string;
  /** Environment variable with the URL that the service connects with: `AUTH_DB_URL`. */
  readonly urlVariable: string;
  /** Environment variable with the URL of who migrates: `AUTH_DB_OWNER_URL`. */
  readonly ownerUrlVariable: string;
  /** Roles that roles.sql makes: `auth_owner` and `auth_service`. */
  readonly roles: { readonly owner: string; readonly service: string };
  /** Where it lies in the PostgreSQL database of another one; absent: it is one itself. */
  readonly shared?: SharedDatabase;
  /** Folder of its migrations. */
  readonly migrations: URL;
  /** Folder of SQL of its own, beside mesh.yaml. Absent: none. */
  readonly sql?: string;
}

/** A database within another one. */
export interface SharedDatabase {
  /** What PostgreSQL calls it: `shop_db`. */
  readonly with: string;
  /** Schema of the mesh's tables there, in place of `mesh`. */
  readonly schema: string;
}

/** What a service without a database does: it hands messages to hooks, at least once each. */
export interface StatelessDefinition {
  /** The stream of its dead letters, see `deadLetterStreamOf`. */
  readonly deadLetters: StreamDefinition;
  readonly consumers: readonly StatelessConsumerDefinition[];
  /** The handler of every event that its unnamed consumers hear, beside those of single events. */
  readonly onEvent?: MessageHandler<MeshEvent> | undefined;
}

/** A whole service, with its hooks. */
export interface ServiceDefinition {
  readonly mesh: string;
  readonly name: string;
  readonly source: string;
  /** Absent for one that only hands messages to hooks, as `stateless` says. */
  readonly database?: DatabaseDefinition;
  readonly stateless?: StatelessDefinition;
  /** The stream of its own events; absent where it publishes none. */
  readonly stream?: StreamDefinition;
  /** Subjects it may publish: `auth.user.*.*`. */
  readonly publishes: readonly string[];
  /** Own events that are validated before they are published: their schemas demand more than PostgreSQL can check. */
  readonly validated?: readonly EventDefinition[];
  /** Rows of its tables mean events at a time: it looks for moments that have come. */
  readonly moments?: true;
  readonly tables: readonly TableDefinition[];
  /** Its views; none of them is among its tables. */
  readonly views?: readonly TableDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  readonly http?: HttpDefinition;
  /** Other services that may call it, with what each may do. */
  readonly callers?: readonly CallerDefinition[];
  /** Services that its hooks call, beside the sources of its consumers. */
  readonly calls?: readonly { readonly urlVariable: string; readonly keyVariable: string }[];
  /** Variables that mesh.yaml gives it beside those that the runtime reads of itself. */
  readonly environment?: readonly EnvironmentDefinition[];
  /** The handler of every event that its unnamed consumers hear, beside those of single events. */
  readonly onEvent?: Handler<MeshEvent> | undefined;
  /** The hook at start-up; where it throws, the service does not start. */
  readonly start?: StartHook | undefined;
}

/** Another service that may call this one. */
export interface CallerDefinition {
  readonly name: string;
  /** Environment variable with the key that it sends: `SFS_TO_AUTH_KEY`. */
  readonly keyVariable: string;
  /** The key may be unset: then the caller is not let in, and can do without. */
  readonly optional?: true;
  readonly grants: readonly GrantDefinition[];
}

/** HTTP methods that a grant names, in lower case. */
export type CallVerb = "get" | "post" | "patch" | "delete";

/** What a caller may do with one resource. */
export interface GrantDefinition {
  /** `/api/users`, and the rows below it. */
  readonly path: string;
  readonly verbs: readonly CallVerb[];
}

/** A variable that the service reads. Without one that is `required` it does not start. */
export interface EnvironmentDefinition {
  readonly name: string;
  readonly required?: true;
  readonly default?: string;
}

/** What a hooks module exports, and a service is made from: `computeService(hooks)`. */
export type ServiceFactory<Hooks> = (hooks: Hooks) => ServiceDefinition;
