import type { ColumnSymbol, DatabaseSymbol } from "../../language/symbols.js";
import { wireName } from "../../vocabulary/namings.js";

/** What REST calls a column, where that is another name. */
export function shownName(
  { name }: Pick<ColumnSymbol, "name">,
  { owners }: DatabaseSymbol,
): string | undefined {
  const shown = wireName(name, owners[0]?.naming ?? "columns");
  return shown === name ? undefined : shown;
}
