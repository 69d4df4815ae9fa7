import type { EventDefinition } from "../definition/event-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { matcher, parseSubject } from "../subject.js";
import { describeErrors } from "../values/validation.js";

/*
 * Which rows of the outbox may be published. A row that may not becomes a dead letter of its owner: an event of another
 * service, and one that breaks its own schema where PostgreSQL could not check that.
 */

export type Publishing = Pick<ServiceDefinition, "publishes" | "validated">;

/** Why an event must not be published; undefined where it may. */
export type Admission = (event: { readonly subject: string; readonly body: string }) => string | undefined;

/** Validates only the events in `validated`: of all others PostgreSQL enforces the whole schema. */
export function createAdmission({ publishes, validated = [] }: Publishing): Admission {
  const ours = matcher(publishes);
  const validators = new Map(validated.map((event) => [`${event.entity}.${event.action}`, event]));
  return ({ subject, body }) => {
    if (!ours(subject)) return `${subject} is not a subject of this service`;
    if (validators.size === 0) return undefined;
    const { entity, action } = parseSubject(subject) ?? {};
    const event = validators.get(`${entity}.${action}`);
    return event && invalidity(event, body);
  };
}

function invalidity({ name, validate }: EventDefinition, body: string): string | undefined {
  let data: unknown;
  try {
    data = JSON.parse(body);
  } catch (error) {
    return `not JSON: ${String(error)}`;
  }
  try {
    return validate(data) ? undefined : `not a valid ${name}: ${describeErrors(validate.errors)}`;
  } catch (error) {
    // Nested deeper than the stack: no subscriber could validate it either.
    return `not a valid ${name}: it could not be checked: ${String(error)}`;
  }
}
