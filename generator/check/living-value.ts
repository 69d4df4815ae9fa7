import { kindOf } from "@meshwright/runtime/column-types";
import type { TableSymbol } from "../language/symbols.js";

/** What the column by which rows are deleted softly holds while a row lives. */
export function livingValue({ columns, softDelete }: TableSymbol): null | false {
  const type = columns.get(softDelete?.value ?? "")?.type;
  return type !== undefined && kindOf(type) === "boolean" ? false : null;
}
