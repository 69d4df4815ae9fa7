import type { ValidationError } from "../definition/event-definition.js";

/** The first of a validator's errors, and the number of the others. */
export function describeErrors(errors: readonly ValidationError[] | null | undefined): string {
  const [first, ...rest] = errors ?? [];
  if (first === undefined) return "refused by its schema";
  const where = first.instancePath === "" ? "the message" : first.instancePath;
  const more = rest.length === 0 ? "" : ` (and ${rest.length} more)`;
  return `${where} ${first.message ?? first.keyword}${more}`;
}
