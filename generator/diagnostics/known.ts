import { shorten } from "../quote/visible.js";

/** What there is, by name. */
export type Known = ReadonlyMap<string, unknown>;

const LISTED = 20;

/** `users, sessions`; of many the first, and how many more. */
export function namesOf(known: Known): string {
  const names: string[] = [];
  for (const name of known.keys()) {
    if (names.length === LISTED) return `${names.join(", ")} and ${known.size - LISTED} more`;
    names.push(shorten(name, 80));
  }
  return names.join(", ");
}
