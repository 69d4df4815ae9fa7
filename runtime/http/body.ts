import type { FastifyInstance } from "fastify";
import type { Validator } from "../definition/event-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import type { Values } from "../repository/rows.js";
import { kindOf } from "../values/column-types.js";
import { shownName } from "../values/field.js";
import { memberTexts } from "../values/json-text.js";
import { asWritten } from "../values/values.js";
import { invalidBody } from "./http-errors.js";
import { Problem, type ProblemPart } from "./problem.js";

const MEDIA_TYPES = ["application/json", "application/merge-patch+json"];

/** Accepts JSON only. Refuses bytes that are not UTF-8: a silent replacement would be stored. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(MEDIA_TYPES, { parseAs: "buffer" }, (_request, body, done) => {
    try {
      const text = decode(body);
      done(null, text === "" ? undefined : new JsonBody(text, JSON.parse(text)));
    } catch (cause) {
      const reason = cause instanceof SyntaxError ? cause.message : "the body is not UTF-8";
      done(new Problem("malformed", `The body is not JSON: ${reason}.`, { cause }), undefined);
    }
  });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(body: string | Buffer): string {
  return typeof body === "string" ? body : utf8.decode(body);
}

/** The parsed body of a request, with its text, in which numbers have digits that a double cannot hold. */
export class JsonBody {
  constructor(
    readonly text: string,
    readonly value: unknown,
  ) {}
}

/** The body as column values. Throws a problem that lists everything wrong with it, or `UnfitValue`. */
export function readBody(
  request: unknown,
  table: TableDefinition,
  validate: Validator<unknown> | undefined,
): Values {
  const body = request instanceof JsonBody ? request.value : request;
  if (!isObject(body)) {
    throw new Problem("invalid", `The body must be a JSON object; there is ${nameOf(body)}.`, {
      errors: [{ pointer: "", detail: "must be a JSON object" }],
    });
  }
  const errors = validate === undefined || validate(body) ? [] : (validate.errors ?? []);
  const more = [...unpairedSurrogates(body), ...finerMoments(body, table)];
  if (errors.length + more.length > 0) throw invalidBody(errors, { more, table });
  return byColumn(request instanceof JsonBody ? withDigits(request.text, body, table) : body, table);
}

function byColumn(body: Values, { columns }: TableDefinition): Values {
  const named = new Map(columns.map((column) => [shownName(column), column.name]));
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [named.get(name) ?? name, value]));
}

/** Takes values of JSON columns, and whole numbers beyond 2^53, from the text. */
function withDigits(text: string, body: Values, table: TableDefinition): Values {
  const columns = table.columns.filter(
    (column) => Object.hasOwn(body, shownName(column)) && (kindOf(column.type) === "document" || column.wide),
  );
  if (columns.length === 0) return body;
  const written = memberTexts(text, new Set(columns.map(shownName)));
  const exact = columns.map((column) => {
    const name = shownName(column);
    return [name, asWritten({ ...column, name }, body[name], written.get(name))];
  });
  return { ...body, ...Object.fromEntries(exact) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(body: unknown): string {
  if (body === undefined) return "none";
  if (body === null) return "null";
  return Array.isArray(body) ? "an array" : `a ${typeof body}`;
}

/** PostgreSQL would round them. */
function finerMoments(body: Values, { columns }: TableDefinition): ProblemPart[] {
  return columns.flatMap((column) => {
    const name = shownName(column);
    const value = kindOf(column.type) === "moment" && Object.hasOwn(body, name) ? body[name] : undefined;
    return typeof value === "string" && /\.\d{6}0*[1-9]/.test(value)
      ? [{ pointer: `/${name}`, detail: "has digits behind its microseconds, which no column keeps" }]
      : [];
  });
}

/** The driver would write half of a surrogate pair as U+FFFD: not what was sent. */
function unpairedSurrogates(body: Values): ProblemPart[] {
  return Object.entries(body)
    .filter(([, value]) => typeof value === "string" && !value.isWellFormed())
    .map(([name]) => ({ pointer: `/${name}`, detail: "has half of a surrogate pair" }));
}
