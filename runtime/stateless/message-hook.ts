import type { StatelessConsumerDefinition } from "../definition/consumer-definition.js";
import type { MeshEvent } from "../definition/event-definition.js";
import type { Logger, MessageContext, MessageHandler } from "../definition/hook-definition.js";
import { buildModel, type ConsumerModel } from "../inbox/consumer-model.js";
import { HOOK_MS } from "../inbox/hook-call.js";
import type { Incoming } from "../inbox/parse.js";

/** A consumer of a service without a database, resolved once at the start. */
export interface StatelessModel {
  readonly model: ConsumerModel;
  /** Calls the event's own hook, then the one for every event. Rejects with what a hook throws, or after its time. */
  call(incoming: Incoming, calling: HookCalling): Promise<void>;
}

export interface HookCalling {
  readonly logger: Logger;
  readonly attempt: number;
  /** Of the service's stop. */
  readonly signal: AbortSignal;
  /** How long a hook may take, in ms. Default 60000. */
  readonly timeoutMs?: number | undefined;
}

/** `onEvent`: the service's hook for every event of its unnamed consumers. */
export function resolveConsumer(
  definition: StatelessConsumerDefinition,
  onEvent: MessageHandler<MeshEvent> | undefined,
): StatelessModel {
  const { events, onEvent: own, ...heard } = definition;
  const every = definition.name === undefined ? onEvent : own;
  const handlers = new Map(events.map(({ event, handler }) => [event.name, handler]));
  return {
    model: buildModel({ ...heard, events: events.map(({ event }) => ({ event })) }),
    async call({ event, subject, model }, calling) {
      const { logger, attempt } = calling;
      for (const handler of [handlers.get(model.definition.name), every])
        if (handler !== undefined)
          await callHook(handler, { event: event as never, subject, logger, attempt }, calling);
    },
  };
}

/** A hook that goes on after its time is not waited for, and its result is not looked at. */
async function callHook(
  handler: MessageHandler<never>,
  context: Omit<MessageContext<never>, "signal">,
  { timeoutMs = HOOK_MS, signal }: HookCalling,
): Promise<void> {
  const overdue = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      overdue.abort();
      reject(new Error(`no answer within ${timeoutMs / 1_000} s`));
    }, timeoutMs);
  });
  try {
    await Promise.race([handler({ ...context, signal: AbortSignal.any([signal, overdue.signal]) }), late]);
  } finally {
    clearTimeout(timer);
  }
}
