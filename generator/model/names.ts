import pluralize from "pluralize-esm";
import type { ServiceSymbol } from "../language/symbols.js";
import type { Database, Table } from "./mesh.js";

/*
 * The names of the generated TypeScript. Each is computed here and nowhere else: emitters print
 * what the model says, so two of them can never disagree.
 */

/** `ssh_keys`, `edd-cloud`, `UserCreated` → `SshKeys`, `EddCloud`, `UserCreated`. */
export function pascalCase(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

/** The name of a constant or function; a reserved word gets a trailing `_`. */
export function valueName(name: string): string {
  const pascal = pascalCase(name);
  const camel = pascal.charAt(0).toLowerCase() + pascal.slice(1);
  return reservedWords.has(camel) ? `${camel}_` : camel;
}

/** The hook of every event that has none of its own, in TypeScript's interfaces and in the runtime. */
export const EVERY_EVENT_HOOK = "onEvent";

/** `auth_db` → `AUTH_DB` */
function upperSnakeCase(name: string): string {
  return name.replace(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}

/** What strict-mode modules refuse as the name of a constant or function; `then` would make a promise of what has it. */
const reservedWords: ReadonlySet<string> = new Set(
  (
    "arguments async await break case catch class const continue debugger default delete do else enum eval export " +
    "extends false finally for function if implements import in instanceof interface let new null package private " +
    "protected public return static super switch then this throw true try typeof undefined var void while with yield"
  ).split(" "),
);

export interface TableNames {
  readonly row: string;
  readonly create: string;
  readonly patch: string;
  readonly value: string;
}

/** `row`: what the file calls one row; by default the table's name in the singular. */
export function tableNames(table: string, row = singularName(table)): TableNames {
  return { row: `${row}Row`, create: `New${row}`, patch: `${row}Patch`, value: valueName(table) };
}

/** Words that name a table as they are, and that the inflection library takes for plurals. */
for (const word of [/data$/i, /sms$/i, "species", "basis", "chaos", "goods", "means", "physics", "logistics"])
  pluralize.addUncountableRule(word);
for (const word of ["os", "ios", "aws", "dns", "gps", "tls", "vps", "https"])
  pluralize.addUncountableRule(word);

/** Plurals of which it makes no word. */
for (const [one, many] of Object.entries({
  avalanche: "avalanches",
  axis: "axes",
  bias: "biases",
  cache: "caches",
  excuse: "excuses",
  headache: "headaches",
  lens: "lenses",
  niche: "niches",
  oasis: "oases",
}))
  pluralize.addIrregularRule(one, many);

/** `ssh_keys`, `people` → `SshKey`, `Person`: the last word alone is inflected. Of `s` nothing would be left: it stays. */
export function singularName(table: string): string {
  const words = table.split("_");
  const last = words.pop() ?? "";
  return pascalCase([...words, pluralize.singular(last) || last].join("_"));
}

export interface EventNames {
  readonly value: string;
  readonly hook: string;
}

export function eventNames(event: string): EventNames {
  return { value: valueName(event), hook: `on${event}` };
}

/** `AUTH`; an external service may say another. */
export function streamName({ name, node }: ServiceSymbol): string {
  return node?.get.stream?.get.name?.value ?? upperSnakeCase(name);
}

/** `DEAD_MAILER`: where a service without a database keeps what its hooks could not handle. */
export function deadLetterStreamName(service: string): string {
  return `DEAD_${upperSnakeCase(service)}`;
}

/** `shopMailer`: what the consumers of one name have in common, their hooks. */
export function namedConsumerName(service: string, consumer: string): string {
  return valueName(`${service}_${consumer}`);
}

export function databaseUrlVariable(database: string): string {
  return `${upperSnakeCase(database)}_URL`;
}

/** `AUTH_DB_PASSWORD`, of `AUTH_DB_URL`: the runtime reads it beside the URL. */
export function passwordVariable(urlVariable: string): string {
  return urlVariable.replace(/_URL$/, "_PASSWORD");
}

/** `AUTH_DB_OWNER_URL` */
export function ownerUrlVariable(database: string): string {
  return `${upperSnakeCase(database)}_OWNER_URL`;
}

/** `mesh_billing_db`: where the mesh keeps its tables for a database that lies within another one. */
export function sharedSchema(database: string): string {
  return `mesh_${database}`;
}

/** Of what the mesh keeps in the database of a service: `mesh`, or one of its own where several services share it. */
export function meshSchema({ shared }: Pick<Database, "shared">): string {
  return shared?.schema ?? "mesh";
}

/** What PostgreSQL calls the database. */
export function nameOnServer({ name, shared }: Pick<Database, "name" | "shared">): string {
  return shared?.with ?? name;
}

/** Where it lies in PostgreSQL. Where mesh.yaml says no schema, the migrating role makes tables in the first of its path: `public`, if nobody changes it. */
export function placeOnServer({ name, at }: Pick<Table, "name" | "at">): {
  readonly schema: string;
  readonly table: string;
} {
  return at ?? { schema: "public", table: name };
}

/** Roles belong to the whole server, like databases; no two services have one name. */
export function databaseRoles(service: string): { readonly service: string; readonly owner: string } {
  return { service: `${service}_service`, owner: `${service}_owner` };
}

export function serviceUrlVariable(service: string): string {
  return `${upperSnakeCase(service)}_SERVICE_URL`;
}

/** `SFS_TO_AUTH_KEY`: one secret, one name, on either side. */
export function callKeyVariable(caller: string, callee: string): string {
  return `${upperSnakeCase(caller)}_TO_${upperSnakeCase(callee)}_KEY`;
}
