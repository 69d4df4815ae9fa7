/* Changes of a shop that lose data or may fail on rows that are there: each needs --allow-destructive. */

export const itemsTable = (columns: string, rest = "") =>
  `items: { ${rest} columns: { id: { type: nanoid, key: true }, ${columns} } }`;

export interface DestructiveStep {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly code: string;
  /** What the message names. */
  readonly names: string;
}

export const DESTRUCTIVE_STEPS: readonly DestructiveStep[] = [
  {
    what: "dropping a table",
    from: `${itemsTable("a: text")}\nold: { columns: { id: { type: nanoid, key: true } } }`,
    to: itemsTable("a: text"),
    code: "drop-table",
    names: '"old"',
  },
  {
    what: "dropping a column",
    from: itemsTable("a: text, b: text"),
    to: itemsTable("a: text"),
    code: "drop-column",
    names: '"items.b"',
  },
  {
    what: "narrowing a type",
    from: itemsTable("a: bigint"),
    to: itemsTable("a: integer"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "parsing text",
    from: itemsTable("a: text"),
    to: itemsTable("a: timestamp"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "bigint to number, which merges neighbours past 2^53",
    from: itemsTable("a: bigint"),
    to: itemsTable("a: number"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "a new NOT NULL column without a default",
    from: itemsTable("a: text"),
    to: itemsTable("a: text, b: text"),
    code: "require-column",
    names: '"items.b"',
  },
  {
    what: "NOT NULL without a default",
    from: itemsTable("a: text?"),
    to: itemsTable("a: text"),
    code: "require-column",
    names: '"items.a"',
  },
  {
    what: "a new UNIQUE",
    from: itemsTable("a: text"),
    to: itemsTable("a: { type: text, unique: true }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "a new UNIQUE set",
    from: itemsTable("a: text, b: text"),
    to: itemsTable("a: text, b: text", "unique: [[a, b]],"),
    code: "restrict-rows",
    names: "a, b",
  },
  {
    what: "a UNIQUE set over a new column that has a default",
    from: itemsTable("a: text"),
    to: itemsTable("a: text, b: { type: text, default: x }", "unique: [[a, b]],"),
    code: "restrict-rows",
    names: "a, b",
  },
  {
    what: "a narrower one_of",
    from: itemsTable("a: { type: text, one_of: [x, y] }"),
    to: itemsTable("a: { type: text, one_of: [x] }"),
    code: "restrict-rows",
    names: "rows hold y",
  },
  {
    what: "a new one_of",
    from: itemsTable("a: text"),
    to: itemsTable("a: { type: text, one_of: [x] }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "a new reference",
    from: itemsTable("a: text"),
    to: itemsTable("a: { type: text, references: items }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "another key",
    from: itemsTable("a: text"),
    to: "items: { columns: { id: text, a: { type: text, key: true } } }",
    code: "change-key",
    names: '"items"',
  },
  {
    what: "a key with one column more",
    from: "items: { columns: { id: { type: text, key: true }, a: text } }",
    to: "items: { key: [id, a], columns: { id: text, a: text } }",
    code: "change-key",
    names: "from id to id, a",
  },
  {
    what: "a key in another order, which makes other ids",
    from: "items: { key: [id, a], columns: { id: text, a: text } }",
    to: "items: { key: [a, id], columns: { id: text, a: text } }",
    code: "change-key",
    names: "from id, a to a, id",
  },
];
