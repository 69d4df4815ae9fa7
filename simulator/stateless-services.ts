import type {
  DeliveryDefinition,
  MeshEvent,
  MessageHandler,
  ServiceDefinition,
  StatelessConsumerDefinition,
} from "@meshwright/runtime";
import { matches } from "@meshwright/runtime/simulation";
import type { LoggedMessage } from "./broker/index.js";
import { metadataOf } from "./message-body.js";
import { isLossy } from "./plan.js";
import type { Actor } from "./schedule.js";
import type { Outcome, World } from "./world.js";

/*
 * Services without a database: their hooks are called for each message at least once, and nothing but poison becomes a dead letter.
 */

interface Scope {
  readonly world: World;
  readonly actor: Actor;
  readonly service: ServiceDefinition;
}

/** Each process that ends in the middle takes one, and so does each hook that fails: here none is the last. */
const ATTEMPTS = 1_000;

/** With a hook of each event that writes down that it has run. */
export function instrumentStateless(
  scope: Scope,
  pace: Partial<DeliveryDefinition>,
): Partial<Pick<ServiceDefinition, "stateless">> {
  const { stateless, name } = scope.service;
  if (stateless === undefined) return {};
  const consumers = stateless.consumers.map((consumer): StatelessConsumerDefinition => {
    const { external: _, ...stream } = consumer.stream;
    return {
      ...consumer,
      stream,
      delivery: { ...consumer.delivery, ...pace, attempts: ATTEMPTS },
      events: consumer.events.map(({ event, handler }) => ({
        event,
        handler: recordMessage(scope, consumer, {
          handler,
          hook: `${name} on ${consumer.entity}.${event.action}`,
        }),
      })),
      onEvent: consumer.onEvent && countCalls(scope, consumer.onEvent, `${name} onEvent`),
    };
  });
  const onEvent = stateless.onEvent && countCalls(scope, stateless.onEvent, `${name} onEvent`);
  return { stateless: { ...stateless, consumers, onEvent } };
}

function countCalls(
  { world, actor }: Scope,
  handler: MessageHandler<MeshEvent>,
  hook: string,
): MessageHandler<MeshEvent> {
  return async (context) => {
    world.coverage.count("hook called", hook);
    await world.schedule.outside(actor, handler(context));
  };
}

interface Hooked {
  readonly handler: MessageHandler<never> | undefined;
  readonly hook: string;
}

function recordMessage(
  { world, actor, service }: Scope,
  { durable, entity }: StatelessConsumerDefinition,
  { handler, hook }: Hooked,
): MessageHandler<never> {
  const record: MessageHandler<MeshEvent & never> = async (context) => {
    const { event, subject } = context as { readonly event: MeshEvent; readonly subject: string };
    const { event_id: id } = event.metadata;
    // The process may end here, in the middle of a hook.
    await world.schedule.step(actor, `hook of ${subject}`, () => undefined);
    if (handler !== undefined) {
      world.coverage.count("hook called", hook);
      await world.schedule.outside(actor, handler(context));
    }
    if (world.hookFails(`${durable} ${id}`)) throw new Error("simulated: this hook fails");
    world.coverage.count(
      "event applied",
      `${entity}.${hook.slice(hook.lastIndexOf(".") + 1)} in ${service.name}`,
    );
    world.recordHandled(durable, id);
    world.recordHandled(durable, subject);
  };
  return record;
}

/** Each message was handled, but for poison, which is a dead letter, and for what was lost on purpose. */
export function checkStateless(outcome: Outcome): readonly string[] {
  const { mesh } = outcome.world;
  return mesh.stateless.flatMap(({ definition }) => {
    const letters = lettersOf(outcome, definition);
    const wrong = letters
      .filter(({ subject }) => !outcome.poison.includes(subject))
      .map(({ durable, subject, error }) => `${durable}: ${subject} is a dead letter: ${error}`);
    if (isLossy(outcome.world.plan)) return wrong;
    const consumers = definition.stateless?.consumers ?? [];
    return [...wrong, ...consumers.flatMap((consumer) => unhandled(outcome, consumer, letters))];
  });
}

interface Letter {
  readonly durable: string;
  readonly subject: string;
  readonly error: string;
}

/** A dead letter begins with a line of JSON. */
function lettersOf({ world }: Outcome, { name, stateless }: ServiceDefinition): readonly Letter[] {
  if (stateless === undefined) return [];
  return world.server
    .log(stateless.deadLetters.name)
    .filter(({ subject }) => subject.startsWith(`$MESH.${name}.dead.`))
    .map(({ body }) => JSON.parse(Buffer.from(body).toString().split("\n", 1)[0] ?? "") as Letter);
}

function unhandled(
  outcome: Outcome,
  consumer: StatelessConsumerDefinition,
  letters: readonly Letter[],
): readonly string[] {
  const { durable, stream, filter } = consumer;
  const heard = outcome.world.server
    .log(stream.name)
    .filter(({ subject, gone }) => gone === undefined && matches(filter, subject));
  const isPoison = ({ subject }: LoggedMessage) => outcome.poison.includes(subject);
  const dead = new Set(letters.filter((letter) => letter.durable === durable).map(({ subject }) => subject));
  const vanished = heard
    .filter((message) => isPoison(message) && !dead.has(message.subject))
    .map(({ subject }) => `${durable}: ${subject} vanished, it is no dead letter`);
  const messages = heard.filter((message) => !isPoison(message));
  return [
    ...vanished,
    ...(stream.envelope === undefined
      ? missing(outcome, consumer, messages)
      : fewer(outcome, consumer, messages)),
  ];
}

function missing(
  { handled }: Outcome,
  { durable, events }: StatelessConsumerDefinition,
  messages: readonly LoggedMessage[],
): readonly string[] {
  const actions = new Set(events.map(({ event }) => event.action));
  return messages.flatMap((message) => {
    const { subject } = message;
    if (!actions.has(subject.slice(subject.lastIndexOf(".") + 1))) return [];
    const { event_id: id } = metadataOf(message);
    return handled.has(`${durable} ${id}`) ? [] : [`${durable}: no hook ran for ${subject}, event ${id}`];
  });
}

/** Where bodies say no id: as many calls as messages. Nothing is asked where the consumer does not hear all of their events. */
function fewer(
  { handled, world }: Outcome,
  { durable, entity, events }: StatelessConsumerDefinition,
  messages: readonly LoggedMessage[],
): readonly string[] {
  const foreign = world.mesh.foreign.filter((one) => one.entity === entity);
  const actions = new Set(events.map(({ event }) => event.action));
  if (!foreign.every((one) => one.events.every(({ definition }) => actions.has(definition.action))))
    return [];
  return [...new Set(messages.map(({ subject }) => subject))].flatMap((subject) => {
    const sent = messages.filter((message) => message.subject === subject).length;
    const calls = handled.get(`${durable} ${subject}`) ?? 0;
    return calls < sent ? [`${durable}: hooks ran ${calls} times for ${sent} messages on ${subject}`] : [];
  });
}
