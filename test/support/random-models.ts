import fc from "fast-check";
import { shop } from "./migrations.js";

/*
 * Random models of a shop: tables, columns, keys, references and events that come, go and change.
 */

const TYPES = [
  "text",
  "varchar(8)",
  "uuid",
  "smallint",
  "integer",
  "bigint",
  "number",
  "numeric(12,2)",
  "boolean",
  "timestamp",
  "date",
  "bytea",
  "json",
  "text[]",
  "integer[]",
] as const;

const column = fc.record({
  type: fc.constantFrom(...TYPES),
  nullable: fc.boolean(),
  unique: fc.boolean(),
  default: fc.boolean(),
  oneOf: fc.constantFrom(undefined, "[x]", "[x, y]"),
});
type ColumnPlan = typeof column extends fc.Arbitrary<infer T> ? T : never;

const DEFAULTS: Partial<Record<(typeof TYPES)[number], string>> = {
  text: "x",
  integer: "1",
  bigint: "2",
  number: "1.5",
  boolean: "true",
  timestamp: "now",
  date: "now",
  "numeric(12,2)": '"1.50"',
  "text[]": "'[\"x\"]'",
};

const columns = fc.dictionary(fc.constantFrom("a", "b", "c", "order"), column, { minKeys: 1, maxKeys: 4 });
const table = fc.record({
  columns,
  key: fc.constantFrom("nanoid", "uuid", "bigint"),
  set: fc.boolean(),
  index: fc.boolean(),
  events: fc.boolean(),
  parent: fc.constantFrom(undefined, "cascade", "restrict"),
  /** The key has a second column. */
  second: fc.boolean(),
});
type TablePlan = typeof table extends fc.Arbitrary<infer T> ? T : never;
export const modelPlan = fc.dictionary(fc.constantFrom("items", "parts", "user"), table, {
  minKeys: 1,
  maxKeys: 3,
});
type ModelPlan = typeof modelPlan extends fc.Arbitrary<infer T> ? T : never;

function printColumn([name, plan]: [string, ColumnPlan]): string {
  const isText = plan.type === "text";
  const value = plan.default ? DEFAULTS[plan.type] : undefined;
  const words = [
    `type: "${plan.type}"`,
    ...(plan.nullable ? ["null: true"] : []),
    ...(plan.unique && plan.type !== "json" ? ["unique: true"] : []),
    ...(value === undefined ? [] : [`default: ${value}`]),
    ...(isText && plan.oneOf !== undefined ? [`one_of: ${plan.oneOf}`] : []),
  ];
  return `${name}: { ${words.join(", ")} }`;
}

function printTable([name, plan]: [string, TablePlan], all: ModelPlan): string {
  const names = Object.keys(plan.columns).sort();
  const set = names.filter((column) => plan.columns[column]?.type !== "json").slice(0, 2);
  const parent = Object.keys(all).find((other) => other !== name);
  const reference =
    plan.parent === undefined || parent === undefined || parent < name || all[parent]?.second === true
      ? []
      : [`up: { type: ${all[parent]?.key}, null: true, references: ${parent}, on_delete: ${plan.parent} }`];
  const key = plan.second
    ? [`id: ${plan.key}`, "no: { type: integer, default: 1 }"]
    : [`id: { type: ${plan.key}, key: true }`];
  const parts = [
    ...(plan.second ? ["key: [no, id]"] : []),
    ...(plan.set && set.length === 2 ? [`unique: [[${set.join(", ")}]]`] : []),
    ...(plan.index && set.length > 0 ? [`indexes: [[${set[0]}]]`] : []),
    `columns: { ${[...key, ...Object.entries(plan.columns).map(printColumn), ...reference].join(", ")} }`,
  ];
  return `${name}: { ${parts.join(", ")} }`;
}

function printSubjects([name, plan]: [string, TablePlan]): string {
  if (!plan.events) return "";
  const kinds = {
    string: ["text", "uuid", "varchar(8)"],
    integer: ["smallint", "integer", "bigint"],
    decimal: ["numeric(12,2)"],
    binary: ["bytea"],
    "string[]": ["text[]"],
  };
  const field = (type: string) =>
    Object.entries(kinds).find(([, types]) => types.includes(type))?.[0] ?? type;
  const id = plan.key === "bigint" ? "integer" : "string";
  const payload = [
    `id: ${id}`,
    ...Object.entries(plan.columns).map(
      ([key, { type, nullable }]) => `${key}: "${field(type)}${nullable ? "?" : ""}"`,
    ),
  ];
  const event = (action: string, on: string) =>
    `shop.${name}.{id}.${action}: { event: ${name[0]?.toUpperCase()}${name.slice(1)}${action[0]?.toUpperCase()}${action.slice(1)}, emit: { table: ${name}, on: ${on} }, payload: { ${payload.join(", ")} } }`;
  return [event("created", "insert"), event("updated", "update"), event("deleted", "delete")].join("\n");
}

export function buildModel(plan: ModelPlan) {
  const tables = Object.entries(plan).map((entry) => printTable(entry, plan));
  return shop(tables.join("\n"), Object.entries(plan).map(printSubjects).join("\n"));
}
