export const columnTypes = [
  "nanoid",
  "text",
  "uuid",
  "integer",
  "bigint",
  "number",
  "boolean",
  "timestamp",
  "timestamptz",
  "json",
] as const;
export type ColumnType = (typeof columnTypes)[number];
