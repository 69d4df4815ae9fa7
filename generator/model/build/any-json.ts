import { type ColumnType, kindOf } from "@meshwright/runtime/column-types";

/** Whether a column of such a table may be of `json` in PostgreSQL in place of `jsonb`, which migrations make. */
export function anyJson(
  type: ColumnType | undefined,
  { existing }: { readonly existing: boolean },
): true | undefined {
  return existing && type !== undefined && kindOf(type) === "document" ? true : undefined;
}
