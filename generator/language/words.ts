import { type TextShape, word } from "./shape.js";

/** The words of mesh.yaml that have an inner syntax. */

export interface SubjectName {
  readonly service: string;
  readonly entity: string;
  readonly action: string;
}

export interface PatternName {
  readonly service: string;
  /** undefined: every entity of the service. */
  readonly entity: string | undefined;
  /** undefined: every action. */
  readonly action?: string | undefined;
}

export interface ColumnName {
  readonly table: string;
  readonly column: string;
}

const same = (text: string): string => text;

export const text = word({ expects: "a text", code: "invalid-name", pattern: undefined, parse: same });

export const meshName = name(
  /^[a-z][a-z0-9-]*$/,
  "a mesh: lower-case letters, digits and dashes",
  "edd-cloud",
);
export const serviceName = name(
  /^[a-z][a-z0-9_-]*$/,
  "a service: lower-case letters, digits, _ and -",
  "auth",
);
export const sourceName = name(
  /^[A-Za-z][A-Za-z0-9._-]*$/,
  "a source: letters, digits, dots, _ and -",
  "auth-service",
);
export const streamName = name(/^[A-Za-z0-9_-]+$/, "a stream: letters, digits, _ and -", "messages");
export const databaseName = name(
  /^[a-z][a-z0-9_]*$/,
  "a database: lower-case letters, digits and _",
  "auth_db",
);
export const tableName = name(/^[a-z][a-z0-9_]*$/, "a table: lower-case letters, digits and _", "users");
/** Of a table that exists, what PostgreSQL takes; a dot parts table and column. A check holds other tables to `madeName`. */
export const columnName = name(/^[^.\p{Cc}]+$/u, "a column: a name of PostgreSQL without dots", "user_id");
export interface ColumnPath {
  readonly column: string;
  /** `old`, or the column that references the row. */
  readonly through: string | undefined;
}

const columnPathPattern = /^(?:([^.\p{Cc}]+)\.)?([^.\p{Cc}]+)$/u;

export const columnPath = word<ColumnPath>({
  expects:
    "a column: user_id, old.price (before the update) or buyer_id.name (of the row that it references)",
  code: "invalid-name",
  pattern: columnPathPattern,
  parse(written) {
    const [, through, column] = columnPathPattern.exec(written) ?? [];
    return column === undefined ? undefined : { column, through };
  },
  examples: ["user_id", "old.price", "buyer_id.name"],
});

/** What a migration makes. */
export const madeName = /^[a-z][a-z0-9_]*$/;
export const checkName = name(
  /^[a-z][a-z0-9_]*$/,
  "a check: lower-case letters, digits and _",
  "dates_in_order",
);
export const schemaName = name(/^[^.\p{Cc}]+$/u, "a schema: a name of PostgreSQL without dots", "sales");
export const existingTableName = name(
  /^[^.\p{Cc}]+$/u,
  "a table that exists: a name of PostgreSQL without dots",
  "Order Details",
);
export const rowName = name(/^[A-Z][A-Za-z0-9]*$/, "a row: PascalCase", "Person");
export const eventName = name(/^[A-Z][A-Za-z0-9]*$/, "an event: PascalCase", "UserCreated");
export const typeName = name(/^[A-Z][A-Za-z0-9]*$/, "a type: PascalCase", "Money");
export const fieldName = name(/^[A-Za-z][A-Za-z0-9_]*$/, "a payload field: letters, digits and _", "user_id");
export const hookName = name(/^[a-z][A-Za-z0-9]*$/, "a hook: camelCase", "deleteContainerNamespace");
export const consumerName = name(/^[a-z][A-Za-z0-9]*$/, "a consumer: camelCase", "mailer");
export const variableName = name(
  /^[A-Z][A-Z0-9_]*$/,
  "an environment variable: upper-case letters, digits and _",
  "LOG_LEVEL",
);

function name(pattern: RegExp, expects: string, example: string): TextShape<string> {
  return word({ expects, code: "invalid-name", pattern, parse: same, examples: [example] });
}

const subjectPattern = /^([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)\.\{id\}\.([a-z][a-z0-9_-]*)$/;

export const subject = word<SubjectName>({
  expects: "a subject such as auth.user.{id}.created",
  code: "malformed-subject",
  pattern: subjectPattern,
  parse(written) {
    const [, service, entity, action] = subjectPattern.exec(written) ?? [];
    return service && entity && action ? { service, entity, action } : undefined;
  },
  examples: ["auth.user.{id}.created"],
});

const templatePattern = /^(?!.*\{id\}.*\{id\})[A-Za-z0-9_-]+(?:\.(?:[A-Za-z0-9_-]+|\*|\{id\}))*(?:\.>)?$/;

export const subjectTemplate = word({
  expects: "a subject of NATS such as m.*.c.{id}.>",
  code: "malformed-template",
  pattern: templatePattern,
  parse: same,
  examples: ["m.*.c.{id}.>", "devices.{id}.state"],
});

const eventReferencePattern = /^([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)$/;

export const eventReference = word<SubjectName>({
  expects: "a subject without its id, such as auth.user.deleted",
  code: "malformed-reference",
  pattern: eventReferencePattern,
  parse(written) {
    const [, service, entity, action] = eventReferencePattern.exec(written) ?? [];
    return service && entity && action ? { service, entity, action } : undefined;
  },
  examples: ["auth.user.deleted"],
});

const patternPattern = /^([a-z][a-z0-9_-]*)(?:\.([a-z][a-z0-9_-]*))?\.\*$/;

export const pattern = word<PatternName>({
  expects: 'a pattern such as "auth.user.*" or "auth.*"',
  code: "malformed-pattern",
  pattern: patternPattern,
  parse(written) {
    const [, service, entity] = patternPattern.exec(written) ?? [];
    return service === undefined ? undefined : { service, entity };
  },
  examples: ["auth.user.*", "sfs.*"],
});

const subscriptionPattern = new RegExp(`${patternPattern.source}|${eventReferencePattern.source}`);

/** As a pattern, or one action of an entity. */
export const subscription = word<PatternName>({
  expects: 'a pattern such as "auth.user.*" or "auth.*", or one action, "auth.user.deleted"',
  code: "malformed-pattern",
  pattern: subscriptionPattern,
  parse: (written) => eventReference.parse(written) ?? pattern.parse(written),
  examples: ["auth.user.*", "sfs.*", "sales.order.paid"],
});

const entityPattern = /^([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)$/;

export const entity = word<{ readonly service: string; readonly entity: string }>({
  expects: "an entity such as auth.user",
  code: "malformed-reference",
  pattern: entityPattern,
  parse(written) {
    const [, service, named] = entityPattern.exec(written) ?? [];
    return service && named ? { service, entity: named } : undefined;
  },
  examples: ["auth.user"],
});

const columnReferencePattern = /^([a-z][a-z0-9_]*)\.([^.\p{Cc}]+)$/u;

export const columnReference = word<ColumnName>({
  expects: "a column such as containers.user_id",
  code: "malformed-reference",
  pattern: columnReferencePattern,
  parse(written) {
    const [, table, column] = columnReferencePattern.exec(written) ?? [];
    return table && column ? { table, column } : undefined;
  },
  examples: ["containers.user_id"],
});

export const resourcePath = word({
  expects: "a path such as /api/users",
  code: "malformed-path",
  pattern: /^(\/[A-Za-z0-9][A-Za-z0-9_-]*)+$/,
  parse: same,
  examples: ["/api/users"],
});

export const sqlFolder = word({
  expects: "a folder beside this file such as sql/shop",
  code: "malformed-path",
  pattern: /^(?!generated(?:\/|$))[\w-][\w.-]*(?:\/[\w-][\w.-]*)*\/?$/,
  parse: (written) => written.replace(/\/$/, ""),
  examples: ["sql/shop", "sql"],
});

export const headerName = word({
  expects: "an HTTP header such as authorization",
  code: "malformed-header",
  pattern: /^[A-Za-z][A-Za-z0-9-]*$/,
  parse: (written) => written.toLowerCase(),
  examples: ["authorization"],
});

const secondsOf: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const bytesOf: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** In seconds. */
export const duration = quantity(/^(0|[1-9]\d{0,8}(?:ms|s|m|h|d))$/, secondsOf, {
  expects: 'a duration such as "30s"',
  code: "invalid-duration",
  examples: ["30s", "2m", "7d"],
  allowsNumbers: true,
});

/** In bytes. */
export const size = quantity(/^([1-9]\d{0,8}(?:B|KiB|MiB|GiB|TiB))$/, bytesOf, {
  expects: 'a size such as "1GiB"',
  code: "invalid-size",
  examples: ["1GiB", "64MiB"],
});

/** As the file would say it: 604800 is `7d`. */
export function printDuration(seconds: number): string {
  return printQuantity(seconds, secondsOf);
}

/** As the file would say it: 1073741824 is `1GiB`. */
export function printSize(bytes: number): string {
  return printQuantity(bytes, bytesOf);
}

/** In the largest unit that leaves no remainder. */
function printQuantity(amount: number, units: Readonly<Record<string, number>>): string {
  const [unit, size] = Object.entries(units).findLast(([, size]) => amount % size === 0) ?? ["", 1];
  return `${amount / size}${unit}`;
}

function quantity(
  form: RegExp,
  units: Readonly<Record<string, number>>,
  options: Pick<TextShape<number>, "expects" | "code" | "examples"> & { readonly allowsNumbers?: boolean },
): TextShape<number> {
  return word<number>({
    ...options,
    pattern: form,
    parse(written) {
      const [, digits = "", unit = ""] = /^(\d+)(\D*)$/.exec(written) ?? [];
      const amount = Number(digits) * (units[unit] ?? 1);
      return Number.isSafeInteger(Math.round(amount)) ? amount : undefined;
    },
  });
}
