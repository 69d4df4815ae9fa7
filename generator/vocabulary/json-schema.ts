export type JsonSchema = { readonly [keyword: string]: JsonValue };
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Keywords whose operands are values: what looks like a keyword in them is none. */
export const valueKeywords: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);
