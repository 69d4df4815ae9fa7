import pg from "pg";
import { type Broker, type Delivery, sendBy } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { startConsumer } from "../../../runtime/consumer/consumer.js";
import type { Validator } from "../../../runtime/definition/event-definition.js";
import type { StreamDefinition } from "../../../runtime/definition/stream-definition.js";
import { startRelay } from "../../../runtime/outbox/relay.js";
import type { Doom } from "../killed-process.js";
import { recordingLogger, silent } from "../loggers.js";
import { userConsumer } from "../user-consumer.js";

/*
 * A relay or a consumer in a process of its own, which kills itself at the step that it is told. What the step
 * is about is the entity "victim".
 */

const { url, natsUrl, step, stream, definition } = JSON.parse(process.argv[2] ?? "{}") as Doom;

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

const broker = await connectJetStream({ url: natsUrl, name: "doomed", logger: silent });
const pool = new pg.Pool({ connectionString: url, options: "-c TimeZone=UTC" });
if (stream !== undefined) runRelay(stream);
else runConsumer();

function runRelay(of: StreamDefinition): void {
  const name = of.name.toLowerCase();
  const publish: Broker["publish"] = async (message) => {
    const isVictim = message.subject.includes("victim");
    if (isVictim && step === "before the publish") die();
    const ack = await broker.publish(message);
    if (isVictim && step === "after the publish, before its ack is seen") die();
    // The relay deletes the row 20 ms after its ack at the earliest.
    if (isVictim && step === "after the ack, before the outbox row is removed") setImmediate(die);
    return ack;
  };
  const dying: Broker = { ...broker, publish, send: sendBy(publish) };
  const service = { name, stream: of, publishes: [`${name}.user.*.*`] };
  startRelay({ pool, broker: dying, service, logger: recordingLogger() });
}

function runConsumer(): void {
  const killing = (delivery: Delivery): Delivery => {
    if (!delivery.subject.includes("victim")) return delivery;
    return Object.defineProperties(Object.create(delivery) as Delivery, {
      ...(step === "after the commit, before the ack" ? { ack: { value: die } } : {}),
      ...(step === "after the dead letter, before the term" ? { term: { value: die } } : {}),
    });
  };
  const dying: Broker = {
    ...broker,
    async consume(plan, prefetch) {
      const subscription = await broker.consume(plan, prefetch);
      return {
        ...subscription,
        next: async (max, waitMs) => (await subscription.next(max, waitMs)).map(killing),
      };
    },
  };
  const hooks = {
    created: async ({ event, tx }: { event: { user_id: string }; tx: Pick<pg.ClientBase, "query"> }) => {
      await tx.query("INSERT INTO calls (what) VALUES ($1)", [event.user_id]);
      if (event.user_id === "victim" && step === "in the handler, before the commit") die();
    },
  };
  const known = userConsumer({ ...definition, hooks });
  const events = known.events.map(({ event, ...consumed }) => ({
    ...consumed,
    event: { ...event, validate: dyingValidator(event.validate) },
  }));
  startConsumer({ pool, broker: dying, definition: { ...known, events }, env: {}, logger: silent });
}

function dyingValidator<T>(validate: Validator<T>): Validator<T> {
  return Object.assign((data: unknown): data is T => {
    const { user_id, username } = data as { user_id?: unknown; username?: unknown };
    if (user_id === "victim" && username !== "later" && step === "while it is read") die();
    return validate(data);
  }, {});
}
