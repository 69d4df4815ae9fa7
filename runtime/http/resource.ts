import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Pool } from "pg";
import { isCanonicalId, keyColumns } from "../database/key.js";
import type { Logger } from "../definition/hook-definition.js";
import type { CallVerb, ResourceDefinition } from "../definition/service-definition.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { isReadOnly } from "../repository/read-only.js";
import { deleteRow, insertRow, readRow, updateRow, type Values } from "../repository/rows.js";
import { shownColumns } from "../repository/table-sql.js";
import { HIGHEST_HEADER } from "../resync/snapshot-source.js";
import { causeOfRequest } from "../telemetry/cause.js";
import { inCreateSpan } from "../telemetry/spans.js";
import { printCause } from "../telemetry/transaction-cause.js";
import { kindOf, type ValueKind } from "../values/column-types.js";
import { DIGEST_FORM, DIGEST_HEADER } from "../values/digests.js";
import { pathSegment } from "../values/entity-id.js";
import { shownName } from "../values/field.js";
import { callerOf } from "./authenticate.js";
import { readBody } from "./body.js";
import type { SharedConcurrencyLimit } from "./concurrency-limit.js";
import { askedDigests, openDigests } from "./digest-answer.js";
import { refusalOf, type ValueSource } from "./http-errors.js";
import { openList } from "./list.js";
import { Problem, unavailable } from "./problem.js";

export interface ResourceOptions {
  readonly service: string;
  readonly resource: ResourceDefinition;
  readonly pool: Pool;
  /** Limits the lists in progress: each has a connection for as long as its client takes. */
  readonly lists: SharedConcurrencyLimit;
  readonly logger: Logger;
  /** How long the client of a list may take for one chunk, in ms. */
  readonly chunkMs: number;
}

interface Item {
  Params: { readonly id: string };
}

/** Whoever calls is another service or a person: private columns are for neither. */
const audience = "callers";

const JSON_TYPE = "application/json; charset=utf-8";

/** Methods of `/api/users` and of `/api/users/{id}`. A cache or a view is only read. */
export function resourceMethods(resource: ResourceDefinition): {
  readonly collection: readonly string[];
  readonly item: readonly string[];
} {
  const owned = !isReadOnly(resource.table);
  return {
    collection: ["GET", "HEAD", ...(owned ? ["POST"] : []), "OPTIONS"],
    item: ["GET", "HEAD", ...(owned ? ["PATCH", "DELETE"] : []), "OPTIONS"],
  };
}

/** REST for one table. Each answer comes from one statement: it sees all of a transaction or nothing. */
export function serveResource(app: FastifyInstance, options: ResourceOptions): void {
  const { path, table } = options.resource;
  const methods = resourceMethods(options.resource);
  const item = `${path}/:id`;
  const may = (verb: CallVerb) => ({ config: { access: { path, verb } } });
  const mayAny = { config: { access: { path } } };

  app.get(path, { ...may("get"), exposeHeadRoute: false }, (request, reply) =>
    sendList(request, reply, options),
  );
  app.head(path, may("get"), (request, reply) => {
    readFilter(table, request.query);
    return reply.type(JSON_TYPE).send();
  });
  app.get<Item>(item, may("get"), (request, reply) => sendRow(request, reply, options));
  app.options(path, mayAny, (_request, reply) =>
    reply.code(204).header("allow", methods.collection.join(", ")).send(),
  );
  app.options(item, mayAny, (_request, reply) =>
    reply.code(204).header("allow", methods.item.join(", ")).send(),
  );
  if (isReadOnly(table)) return;
  app.post(path, may("post"), (request, reply) => createRow(request, reply, options));
  app.patch<Item>(item, may("patch"), (request, reply) => patchRow(request, reply, options));
  app.delete<Item>(item, may("delete"), (request, reply) => removeRow(request, reply, options));
}

async function sendList(request: FastifyRequest, reply: FastifyReply, options: ResourceOptions) {
  const { resource, pool, lists, logger, chunkMs } = options;
  const filter = readFilter(resource.table, request.query);
  const wanted = request.headers["mesh-snapshot"] === "versions";
  const versions = wanted ? { entity: entityOfTable(options) } : undefined;
  if (versions?.entity !== undefined && request.headers[HIGHEST_HEADER] !== undefined)
    reply.header(HIGHEST_HEADER, await highestVersion(options, versions.entity));
  const isWhole = Object.keys(filter).length === 0;
  const asked = isWhole
    ? askedDigests(request.headers[DIGEST_HEADER], resource.table, versions?.entity)
    : undefined;
  const release = await lists.acquire(callerOf(request.principal));
  if (release === undefined) throw unavailable("Too many lists are being read; try again.", 2);
  const stream = await refusing(resource, "target", async () =>
    asked === undefined
      ? await openList(pool, resource.table, { filter, versions, chunkMs })
      : openDigests(pool, asked),
  ).catch((error: unknown) => {
    release();
    throw error;
  });
  stream.once("close", release);
  stream.once("error", (error) => {
    logger.error({ error, table: resource.table.name, request: request.id }, "a list broke off half way");
  });
  if (wanted) reply.header("mesh-snapshot", "versions");
  if (asked !== undefined) reply.header(DIGEST_HEADER, DIGEST_FORM);
  return reply.type(JSON_TYPE).header("vary", `mesh-snapshot, ${DIGEST_HEADER}`).send(stream);
}

/** The highest version that any row of the entity ever had, deleted ones included. */
async function highestVersion({ resource, pool }: ResourceOptions, entity: string): Promise<string> {
  const text = `SELECT greatest(minimum_version, (SELECT pg_catalog.max(version) FROM mesh.entity_version WHERE entity = $1)) AS highest
FROM mesh.relay`;
  const { rows } = await refusing(resource, "target", () => pool.query<{ highest: string }>(text, [entity]));
  return rows[0]?.highest ?? "0";
}

async function sendRow(request: FastifyRequest<Item>, reply: FastifyReply, options: ResourceOptions) {
  const { resource, pool } = options;
  const id = idOf(request, resource.table);
  const row = await refusing(resource, "target", () => readRow(pool, resource.table, { key: id, audience }));
  if (row === undefined) throw noRow(resource.table, id);
  return reply.type(JSON_TYPE).send(row);
}

/** Of the row that is asked for. Another spelling of its key names no row, whatever PostgreSQL would take it for. */
function idOf({ params: { id } }: FastifyRequest<Item>, table: TableDefinition): string {
  if (!isCanonicalId(keyColumns(table), id)) throw noRow(table, id);
  return id;
}

async function createRow(request: FastifyRequest, reply: FastifyReply, options: ResourceOptions) {
  const { resource, pool } = options;
  const values = readBody(request.body, resource.table, resource.table.validate?.create);
  const { key, row } = await writing(request, options, "body", () =>
    insertRow(pool, resource.table, { values, audience, cause: causeOf(request) }),
  );
  const location = `${resource.path}/${pathSegment(key)}`;
  return reply.code(201).header("location", location).type(JSON_TYPE).send(row);
}

async function patchRow(request: FastifyRequest<Item>, reply: FastifyReply, options: ResourceOptions) {
  const { resource, pool } = options;
  const key = idOf(request, resource.table);
  const patch = readBody(request.body, resource.table, resource.table.validate?.patch);
  const named = keyColumns(resource.table).find(({ name }) => Object.hasOwn(patch, name));
  if (named !== undefined) throw keyInPatch(named);
  const row = await writing(request, options, "body", () =>
    updateRow(pool, resource.table, { key, patch, audience, cause: causeOf(request) }),
  );
  if (row === undefined) throw noRow(resource.table, key);
  return reply.type(JSON_TYPE).send(row);
}

async function removeRow(request: FastifyRequest<Item>, reply: FastifyReply, options: ResourceOptions) {
  const { resource, pool } = options;
  const id = idOf(request, resource.table);
  const isDeleted = await writing(request, options, "target", () =>
    deleteRow(pool, resource.table, { key: id, cause: causeOf(request) }),
  );
  if (!isDeleted) throw noRow(resource.table, id);
  return reply.code(204).send();
}

/** A change of rows, in a span of its own where requests are traced. */
async function writing<T>(
  { headers }: FastifyRequest,
  { service, resource }: ResourceOptions,
  part: Parameters<typeof refusing>[1],
  write: () => Promise<T>,
): Promise<T> {
  return await refusing(resource, part, () =>
    inCreateSpan(
      `${service}.${resource.table.entity ?? "{entity}"}.{id}.{action}`,
      headers.traceparent,
      write,
    ),
  );
}

function causeOf({ headers }: FastifyRequest): string | undefined {
  const cause = causeOfRequest(headers);
  return cause && printCause(cause);
}

/** Whether a text of a URL says a value of the column. */
const COMPARED: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  uuid: true,
  "whole number": true,
  number: true,
  decimal: true,
  boolean: true,
  moment: true,
  day: true,
  bytes: true,
  document: false,
  list: false,
};

/** Words by which others ask for pages and order. */
const PAGING = /^(limit|offset|page|per_page|page_size|cursor|sort|order|order_by)$/i;

/** `?user_id=x&name=y`: values that columns must equal. */
function readFilter(table: TableDefinition, query: unknown): Values {
  const filter = Object.entries(query as Record<string, string | readonly string[]>);
  const shown = shownColumns(table, audience);
  return Object.fromEntries(
    filter.map(([name, value]) => {
      const column = shown.find((known) => shownName(known) === name);
      const names = shown.filter(({ type }) => COMPARED[kindOf(type)]).map(shownName);
      if (column === undefined || !COMPARED[kindOf(column.type)]) {
        const reason =
          column === undefined
            ? `there is no such column${PAGING.test(name) ? "; a list has no pages, and comes whole" : ""}`
            : `${column.type} has no text to compare with`;
        throw new Problem("filter", `"${name}" does not filter: ${reason}. Columns: ${names.join(", ")}.`);
      }
      if (typeof value !== "string") throw new Problem("filter", `"${name}" is given more than once.`);
      return [column.name, value];
    }),
  );
}

/** The entity as mesh.entity_version names it: `auth.user`. */
function entityOfTable({ service, resource }: ResourceOptions): string | undefined {
  const { entity } = resource.table;
  return entity === undefined ? undefined : `${service}.${entity}`;
}

function keyInPatch(column: ColumnDefinition): Problem {
  return new Problem("invalid", "A key cannot be changed: create a new row and delete this one.", {
    errors: [{ pointer: `/${shownName(column)}`, detail: "cannot be changed" }],
  });
}

function noRow(table: TableDefinition, id: string): Problem {
  return new Problem(
    "not-found",
    `There is no row of ${table.name} with the ${keyColumns(table).map(shownName).join(":")} ${JSON.stringify(id)}.`,
  );
}

async function refusing<T>(
  { table }: ResourceDefinition,
  source: ValueSource,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw refusalOf(error, source, table) ?? error;
  }
}
