import type { ValidationError, Validator } from "../definition/event-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { JsonText } from "../values/json-text.js";
import { describeErrors } from "../values/validation.js";

/** The events of the row would break their own schemas: no subscriber would accept them. Nothing was written. */
export class InvalidRow extends Error {
  override readonly name = "InvalidRow";
  constructor(
    readonly table: string,
    /** Their pointers lead into the given values. */
    readonly errors: readonly ValidationError[],
  ) {
    super(`not a valid row of ${table}: ${describeErrors(errors)}`);
  }
}

/** Throws `InvalidRow` where the values break a rule of the events that the row would emit. */
export function refuseInvalid(
  { name }: TableDefinition,
  rules: Validator<object> | undefined,
  given: readonly (readonly [string, unknown])[],
): void {
  if (rules === undefined) return;
  const values = given.map(([column, value]) => [column, value instanceof JsonText ? value.toJSON() : value]);
  if (rules(Object.fromEntries(values))) return;
  throw new InvalidRow(name, rules.errors ?? []);
}
