import { HOME, relation } from "../../../migrations/sql-names.js";
import { leavesOf } from "../../../model/field-leaves.js";
import type { Event } from "../../../model/mesh.js";
import { dollarQuote, literal } from "../../../quote/sql.js";
import type { Render } from "../sql-render.js";

/** The function names the schema of other tables where migrations make them, which they know when they run. */
export function createdText(
  text: string,
  {
    signature,
    reads,
    render,
  }: { readonly signature: string; readonly reads: readonly string[]; readonly render: Render },
): string {
  const parts = text.split(HOME);
  const quote = dollarQuote(text);
  const named = parts.length === 1 ? [] : [{ parts, quote, around: dollarQuote(quote + text) }];
  const plain = parts.length === 1 ? parts : [];
  return render("create_function", { plain, named, reads, callText: literal(signature) });
}

/** Tables that exist and are looked into: a right that is missing fails the migration, and not whoever writes a row. */
export function placesRead(events: readonly Event[]): readonly string[] {
  const places = events.flatMap(leavesOf).flatMap(({ source }) => {
    const table = source?.kind === "referenced" ? source.table : undefined;
    return table?.at === undefined ? [] : [relation(table)];
  });
  return [...new Set(places)].sort();
}
