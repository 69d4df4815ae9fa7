import type { Pool } from "pg";
import type { Broker } from "../broker/broker.js";
import {
  type DeadLetter,
  discardDeadLetter,
  listDeadLetters,
  type Redriven,
  type Settling,
  showDeadLetter,
} from "../consumer/dead-letters.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition, StatelessDefinition } from "../definition/service-definition.js";
import { parseMessage } from "../inbox/parse.js";
import { type DeadLetterStream, openDeadLetterStream } from "../stateless/dead-letter-stream.js";
import { resolveConsumer } from "../stateless/message-hook.js";
import { redriveLetter } from "./redrive.js";

/** The dead letters of one service, wherever it keeps them: in its database, or in a stream where it has none. */
export interface ServiceLetters {
  /** Those that wait for an operator, or those that were redriven or discarded. Newest first. */
  list(limit: number, of?: { readonly settled?: boolean }): Promise<readonly DeadLetter[]>;
  /** With the body as it came; undefined when there is none of this id. */
  show(id: number): Promise<(DeadLetter & { readonly body: Buffer }) | undefined>;
  /** Applies it in this process; the service may run meanwhile. Rejects with what a hook throws; the letter stays. */
  redrive(id: number, said?: Settling): Promise<Redriven>;
  /** Its body goes; that it was there stays on record. False when none of this id waits. */
  discard(id: number, said?: Settling): Promise<boolean>;
}

/** Whose dead letters they are. */
export interface LettersOptions {
  /** With its hooks, which run as in the service. */
  readonly definition: ServiceDefinition;
  /** For the start hook, which runs before the first is redriven. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

/** Of a service with a database, in `mesh.dead_letter`. */
export function lettersInDatabase(options: LettersOptions & { readonly pool: Pool }): ServiceLetters {
  const { pool } = options;
  return {
    list: (limit, of) => listDeadLetters(pool, { ...of, limit }),
    show: (id) => showDeadLetter(pool, id),
    redrive: (id, said) => redriveLetter({ ...options, id, ...(said && { said }) }),
    discard: (id, said) => discardDeadLetter(pool, id, said),
  };
}

/** Of a service without one, in its stream on the broker. */
export function lettersInStream(
  options: LettersOptions & { readonly stateless: StatelessDefinition; readonly broker: Broker },
): ServiceLetters {
  const letters = openDeadLetterStream(options.broker, options.stateless.deadLetters);
  return {
    list: async (limit, of) => (await letters.list(of)).toReversed().slice(0, limit),
    show: letters.show,
    redrive: (id, said = {}) => redriveFromStream(options, letters, id, said),
    discard: (id, said) => letters.settle(id, { ...said, as: "discarded" }),
  };
}

async function redriveFromStream(
  { definition, stateless, env, logger }: LettersOptions & { readonly stateless: StatelessDefinition },
  letters: DeadLetterStream,
  id: number,
  said: Settling,
): Promise<Redriven> {
  const refused = (reason: string): Redriven => ({ outcome: "refused", reason });
  const letter = await letters.show(id);
  if (letter === undefined) return refused(`there is no dead letter ${id}`);
  const consumer = stateless.consumers.find(({ durable }) => durable === letter.durable);
  if (consumer === undefined)
    return refused(`it is of the consumer ${letter.durable}, which ${definition.name} no longer has`);
  const { model, call } = resolveConsumer(consumer, stateless.onEvent);
  const parsed = parseMessage(model, { ...letter, time: new Date(letter.failedAt) }, letter.seq);
  if (!parsed.ok) return refused(parsed.rejected.reason);
  await definition.start?.({ env, logger });
  const { signal } = new AbortController();
  await call(parsed.incoming, { logger, attempt: letter.attempts + 1, signal });
  await letters.settle(id, { ...said, as: "redriven" });
  return { outcome: "applied" };
}
