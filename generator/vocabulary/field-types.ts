/** The shorthand types of a payload field. */
export const fieldTypes = [
  "string",
  "integer",
  "bigint",
  "number",
  "boolean",
  "nanoid",
  "uuid",
  "timestamp",
  "json",
] as const;
export type FieldType = (typeof fieldTypes)[number];
