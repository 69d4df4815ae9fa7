import type { Program } from "./program.js";
import type { DatabaseSymbol } from "./symbols.js";

/** Those that lie in one PostgreSQL database with this one, itself among them. */
export function nearbyDatabases(
  database: DatabaseSymbol,
  { databases }: Pick<Program, "databases">,
): readonly DatabaseSymbol[] {
  const host = hostOf(database);
  return [...databases.values()].filter((other) => hostOf(other) === host);
}

function hostOf({ name, shares }: DatabaseSymbol): string {
  return shares?.value ?? name;
}
