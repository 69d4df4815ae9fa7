import type { Pool } from "pg";
import { type Redriven, redriveDeadLetter, showDeadLetter } from "../consume/dead-letter.js";
import type { Logger, ServiceDefinition } from "../definition.js";
import { OUTBOX_LETTERS } from "./figures.js";

export interface RedriveLetterOptions {
  /** With its hooks: they run as they would have. */
  readonly definition: ServiceDefinition;
  readonly pool: Pool;
  /** For the start hook, which the others may stand on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly id: number;
  readonly logger: Logger;
}

/** Applies a dead letter in this process, whichever consumer it is of; the service may run meanwhile. */
export async function redriveLetter(options: RedriveLetterOptions): Promise<Redriven> {
  const { definition, pool, env, id, logger } = options;
  const letter = await showDeadLetter(pool, id);
  if (letter === undefined) return { outcome: "refused", reason: `there is no dead letter ${id}` };
  if (letter.durable === OUTBOX_LETTERS) {
    const reason = `${definition.name} may not publish it: ${letter.error}; discard it, or declare the event and write the change again`;
    return { outcome: "refused", reason };
  }
  const consumer = definition.consumers.find(({ durable }) => durable === letter.durable);
  if (consumer === undefined) {
    const reason = `it is of the consumer ${letter.durable}, which ${definition.name} no longer has`;
    return { outcome: "refused", reason };
  }
  await definition.start?.({ env, logger });
  return await redriveDeadLetter({ pool, definition: consumer, id, logger });
}
