import { pascalCase } from "../../generator/model/names.js";
import {
  globals,
  SHARP,
  SYSTEM_COLUMNS,
  TYPES,
  wordsOfObjects,
  wordsOfOurSql,
  wordsOfSql,
  wordsOfTypeScript,
} from "./reserved-words.js";

/*
 * A mesh in which every word is a name of everything that may be called so: two services, one that owns and one
 * that copies, called as no service should be.
 */

export const OWNER = "constructor";
export const COPIER = "class";

/** A table of the owner, an entity of the copier's; its columns in order, the key first. */
export interface WordTable {
  readonly name: string;
  readonly columns: readonly WordColumn[];
  /** Its `updated` shows the key alone. */
  readonly keyOnly: boolean;
}

export interface WordColumn {
  readonly name: string;
  readonly type: string;
  readonly spec: { readonly unique?: true; readonly [key: string]: unknown };
  readonly field: string;
  /** Two different values. */
  readonly values: readonly [unknown, unknown];
}

/** Texts that end a quotation in SQL, TypeScript, JSON, YAML, Markdown or a shell unless they are escaped. */
export const HOSTILE = [
  "a$$b",
  "$body$",
  "$body1$; $$",
  "it's",
  'say "so"',
  "back\\slash",
  "\\'; --",
  "E'\\n'",
  "100% %s %I %%",
  "{{this}}",
  "$\u007bx}`",
  "*/ }",
  "@ts-expect-error",
  "{@link x} @internal",
  "</script>",
  "a|b",
  "two\nlines",
  "cr\rline",
  "tab\t",
  "# no comment",
  "--",
  "/*",
  "\u2028",
  "😀",
  "null",
  "__proto__",
];

/** Not in the singular: of `attempt` and `attempts` the rows would have one name. */
const rowOf = ({ name }: WordTable) => pascalCase(name);

const isColumn = (word: string) => /^[a-z][a-z0-9_]*$/.test(word) && !SYSTEM_COLUMNS.has(word);

export async function allWords(url: string): Promise<readonly string[]> {
  const words = [
    ...SHARP,
    ...wordsOfOurSql(),
    ...(await wordsOfSql(url)),
    ...wordsOfTypeScript(),
    ...wordsOfObjects(),
    ...globals(),
  ];
  return [...new Set(words.filter((word) => isColumn(word) && word !== "metadata"))];
}

const COLUMNS = 90;
/** A nullable text column. */
const PLAIN = -1;

/** Every word as a column, dealt out to few tables; every sharp one as table, key and entity. */
export function wordTables(words: readonly string[]): readonly WordTable[] {
  const wide: WordTable[] = [];
  for (let at = 0; at < words.length; at += COLUMNS) {
    const [key = "", ...rest] = words.slice(at, at + COLUMNS);
    wide.push({
      name: `wide_${at / COLUMNS}`,
      columns: [keyColumn(key), ...rest.map(columnOf)],
      keyOnly: false,
    });
  }
  const names = SHARP.filter(isColumn);
  const sharp = names.map((word, at): WordTable => {
    const keyOnly = at % 2 === 0;
    const others = keyOnly ? names.filter((name) => name !== word) : [names[at + 1] ?? "x", `${word}_2`];
    return {
      name: word,
      columns: [keyColumn(word), ...others.map((name) => columnOf(name, keyOnly ? PLAIN : 0))],
      keyOnly,
    };
  });
  return [...wide, ...sharp];
}

function keyColumn(name: string): WordColumn {
  return { name, type: "nanoid", spec: { type: "nanoid", key: true }, field: "nanoid", values: ["k1", "k2"] };
}

function columnOf(name: string, at: number): WordColumn {
  const hostile = HOSTILE[at % HOSTILE.length] ?? "";
  switch (at % 8) {
    case PLAIN:
      return {
        name,
        type: "text",
        spec: { type: "text", null: true },
        field: "string?",
        values: ["a", null],
      };
    case 0:
      return {
        name,
        type: "text",
        spec: { type: "text", null: true, unique: true },
        field: "string?",
        values: [`${hostile} 1 ${name}`, `${hostile} 2 ${name}`],
      };
    case 1:
      return {
        name,
        type: "integer",
        spec: { type: "integer", null: true },
        field: "integer?",
        values: [1, 2],
      };
    case 2:
      return {
        name,
        type: "text",
        spec: { type: "text", default: hostile },
        field: "string",
        values: [name, hostile],
      };
    case 3:
      return {
        name,
        type: "json",
        spec: { type: "json", null: true },
        field: "json?",
        values: [{ [name]: hostile }, { toString: [name] }],
      };
    case 4:
      return {
        name,
        type: "boolean",
        spec: { type: "boolean", null: true },
        field: "boolean?",
        values: [true, false],
      };
    case 5:
      return {
        name,
        type: "timestamp",
        spec: { type: "timestamp", null: true },
        field: "timestamp?",
        values: ["2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.600000Z"],
      };
    case 6:
      return {
        name,
        type: "text",
        spec: { type: "text", default: name, one_of: [name, hostile] },
        field: "string",
        values: [hostile, name],
      };
    default:
      return {
        name,
        type: "number",
        spec: { type: "number", null: true },
        field: "number?",
        values: [0.5, 1.5],
      };
  }
}

const pascal = (name: string) =>
  name
    .split("_")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");

/** The columns of the copier's own table, by which cascades find rows: one for each sharp entity. */
export const CASCADED = "references";

export function meshOfWords(tables: readonly WordTable[], words: readonly string[]): object {
  const subjects: Record<string, object> = {};
  const entries = (make: (column: WordColumn, at: number) => readonly [string, unknown], table: WordTable) =>
    Object.fromEntries(table.columns.map(make));
  for (const table of tables) {
    const payload = entries(({ name, field }) => [name, field], table);
    const [key] = table.columns;
    const keyed = { [key?.name ?? ""]: "nanoid" };
    const on = (action: string, operation: string, fields: object, more: object = {}) => {
      subjects[`${OWNER}.${table.name}.{id}.${action}`] = {
        event: `W${pascal(table.name)}${pascal(action)}`,
        description: HOSTILE.join(" "),
        emit: { table: table.name, on: operation, ...more },
        payload: fields,
      };
    };
    on("created", "insert", payload);
    on("updated", "update", table.keyOnly ? keyed : payload);
    on("deleted", "delete", keyed);
  }
  // Words as events, actions and fields that no table has.
  const free = [...words, ...wordsOfObjects(), ...globals()].filter(
    (word) => /^[A-Za-z][A-Za-z0-9_]*$/.test(word) && word.toLowerCase() !== "metadata",
  );
  for (let at = 0; at < free.length; at += COLUMNS)
    subjects[`${OWNER}.prototype.{id}.said_${at}`] = {
      event: `Said${at}`,
      payload: Object.fromEntries(
        [...new Set(free.slice(at, at + COLUMNS))].map((name) => [name, "string?"]),
      ),
    };
  for (const type of TYPES)
    subjects[`${OWNER}.prototype.{id}.${type.toLowerCase()}`] = {
      event: type,
      change: "none",
      payload: { toString: "string?", [type]: "string" },
    };
  const sharp = tables.map(({ name }) => name).filter((name) => SHARP.includes(name));
  const conditions = Object.fromEntries(HOSTILE.map((text, at) => [`hostile_${at}`, text]));
  for (const [column, value] of Object.entries(conditions))
    subjects[`${OWNER}.hostile.{id}.${column}`] = {
      event: `H${pascal(column)}`,
      emit: { table: "hostile", on: "update", when: { [column]: value } },
      payload: { id: "nanoid" },
    };
  return {
    mesh: "words",
    description: HOSTILE.join("\n"),
    services: {
      [OWNER]: {
        description: HOSTILE.join(" "),
        database: "public",
        publishes: [`${OWNER}.*`],
        http: {
          port: 8090,
          resources: Object.fromEntries([
            ...tables.map(({ name }) => [`/${name}`, name]),
            ["/hostile", "hostile"],
          ]),
        },
        environment: {
          HOSTILE: { default: HOSTILE.join("\n"), description: HOSTILE.join("\n") },
        },
      },
      [COPIER]: {
        database: "constructor",
        subscribes: [`${OWNER}.*`],
        http: { port: 8091, resources: { "/references": CASCADED } },
      },
    },
    databases: {
      public: {
        tables: {
          ...Object.fromEntries(
            tables.map((table) => [
              table.name,
              {
                row: rowOf(table),
                description: HOSTILE.join("\n"),
                columns: entries(
                  ({ name, spec }, at) => [name, { ...spec, description: HOSTILE[at % HOSTILE.length] }],
                  table,
                ),
              },
            ]),
          ),
          hostile: {
            columns: {
              id: { type: "nanoid", key: true },
              ...Object.fromEntries(
                Object.keys(conditions).map((name) => [name, { type: "text", null: true }]),
              ),
            },
          },
        },
      },
      constructor: {
        tables: {
          ...Object.fromEntries(
            tables.map((table) => [
              table.name,
              {
                row: rowOf(table),
                cache: `${OWNER}.${table.name}`,
                sync: { from: OWNER, get: `/${table.name}` },
                columns: entries(({ name, spec }) => [name, spec], copied(table)),
              },
            ]),
          ),
          [CASCADED]: {
            columns: {
              reference_id: { type: "nanoid", key: true },
              ...Object.fromEntries(sharp.map((name) => [`${name}_id`, "text?"])),
              ...Object.fromEntries(sharp.map((name) => [name, "text?"])),
            },
          },
        },
      },
    },
    subjects,
    cascades: sharp.flatMap((name, at) => {
      const rule = { on: `${OWNER}.${name}.deleted`, service: COPIER };
      const target = `${CASCADED}.${name}`;
      return at % 2 === 0 ? { ...rule, set_null: target } : { ...rule, delete: target };
    }),
  };
}

/** What the copier keeps: the columns that events carry. */
export function copied(table: WordTable): WordTable {
  return table.keyOnly ? { ...table, columns: table.columns.slice(0, 1) } : table;
}
