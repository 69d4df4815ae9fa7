import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Broker,
  ConsumerGone,
  type ConsumerPlan,
  PublishFailed,
  type PullSubscription,
} from "../../../runtime/broker/broker.js";
import type { StreamDefinition } from "../../../runtime/definition/stream-definition.js";
import { bytes, durablePlan, streamPlan, subjectIn, text } from "../../support/broker-plans.js";
import { subscriptionContract } from "./contract-subscription.js";
import type { BrokerUnderTest } from "./contract-test.js";

/** Every broker the runtime speaks to keeps this contract: the comments of `Broker`, as tests. */
export function brokerContract(name: string, open: () => Promise<BrokerUnderTest>): void {
  describe(`${name} keeps the broker's contract`, () => {
    let under: BrokerUnderTest;
    let broker: Broker;
    let stream: StreamDefinition;
    const subscriptions: PullSubscription[] = [];

    beforeEach(async () => {
      under = await open();
      broker = under.broker;
      stream = streamPlan();
      await broker.ensureStream(stream);
    });
    afterEach(async () => {
      for (const subscription of subscriptions.splice(0)) await subscription.stop();
      await under.close();
    });

    let published = 0;
    const publish = (id: string, action = "created") => {
      published += 1;
      const body = bytes(`{"n":"${id}"}`);
      return broker.publish({ subject: subjectIn(stream, id, action), id: `m${published}`, body });
    };
    const consume = async (overrides: Partial<ConsumerPlan> = {}, prefetch = 100) => {
      const plan = durablePlan(stream, overrides);
      await broker.ensureConsumer(plan);
      const subscription = await broker.consume(plan, prefetch);
      subscriptions.push(subscription);
      return subscription;
    };

    describe("publish", () => {
      it("acks with the stream's sequence", async () => {
        expect(await publish("a")).toEqual({ stream: stream.name, seq: 1, duplicate: false });
        expect(await publish("b")).toEqual({ stream: stream.name, seq: 2, duplicate: false });
      });

      it("stores a duplicate once, and says so", async () => {
        const message = { subject: subjectIn(stream, "a"), id: "same", body: bytes("{}") };
        expect(await broker.publish(message)).toMatchObject({ seq: 1, duplicate: false });
        expect(await broker.publish(message)).toMatchObject({ seq: 1, duplicate: true });
        expect(await broker.streamState(stream.name)).toMatchObject({ lastSeq: 1, messages: 1 });
      });

      it("keeps the order of one caller", async () => {
        const acks = await Promise.all(Array.from({ length: 500 }, (_, place) => publish(`o${place}`)));
        expect(acks.map((ack) => ack.seq)).toEqual(acks.map((_, place) => place + 1));
      });

      const unsafe = {
        "white space": "x.user.a b.created",
        "a line break": "x.user.a\r\nPUB x.pwned 0\r\n\r\n.created",
        "a wildcard token": "x.user.*.created",
        "a wildcard at the end": "x.user.>",
        "an empty token": "x..a.created",
        "an empty end": "x.user.a.",
        "no token at all": "",
        "a control character": "x.user.a\u0000.created",
        "non-ASCII": "x.user.é.created",
      };
      it.each(Object.entries(unsafe))(
        "refuses a subject with %s before it reaches the broker",
        async (_, subject) => {
          const refused = broker.publish({
            subject: subject.replace(/^x/, stream.name.toLowerCase()),
            id: "1",
            body: bytes("{}"),
          });
          await expect(refused).rejects.toMatchObject({ name: "PublishFailed", fault: "message" });
          expect(await publish("still-connected")).toMatchObject({ seq: 1 });
        },
      );

      it("refuses a body beyond max_payload as the message's fault", async () => {
        const limit = broker.maxPayload() ?? 0;
        expect(limit).toBeGreaterThan(0);
        const large = broker.publish({
          subject: subjectIn(stream, "a"),
          id: "1",
          body: new Uint8Array(limit + 1),
        });
        await expect(large).rejects.toMatchObject({ name: "PublishFailed", fault: "message" });
        expect(await publish("b")).toMatchObject({ seq: 1 });
      });

      it("fails as the broker's fault where no stream takes the subject", async () => {
        const lost = broker.publish({
          subject: `nowhere${stream.name}.user.a.created`,
          id: "1",
          body: bytes("{}"),
        });
        await expect(lost).rejects.toBeInstanceOf(PublishFailed);
        await expect(lost).rejects.toMatchObject({ fault: "broker" });
      });

      it("tells whoever sends the same, once for each message", async () => {
        const settled: string[] = [];
        const id = "an id with blanks";
        await new Promise<void>((resolve) => {
          const send = (message: { readonly subject: string; readonly id: string }) =>
            broker.send({ ...message, body: bytes("{}") }, (outcome) => {
              const said =
                outcome instanceof PublishFailed ? outcome.fault : `${outcome.seq} ${outcome.duplicate}`;
              settled.push(`${message.id}: ${said}`);
              if (settled.length === 5) resolve();
            });
          send({ subject: subjectIn(stream, "a"), id: "first" });
          send({ subject: subjectIn(stream, "b"), id });
          send({ subject: subjectIn(stream, "b"), id });
          send({ subject: subjectIn(stream, "a"), id: "first" });
          send({ subject: "not one message.*", id: "refused" });
        });
        await publish("c");
        expect(settled.toSorted()).toEqual([
          "an id with blanks: 2 false",
          "an id with blanks: 2 true",
          "first: 1 false",
          "first: 1 true",
          "refused: message",
        ]);
      });
    });

    describe("streams", () => {
      it("are made once", async () => {
        await publish("a");
        const again = await broker.ensureStream(stream);
        expect(again).toMatchObject({ name: stream.name, firstSeq: 1, lastSeq: 1, messages: 1 });
        expect(again?.created).toBe((await broker.streamState(stream.name))?.created);
      });

      it("differ by their time of creation when one is made anew", async () => {
        const before = await broker.streamState(stream.name);
        await under.deleteStream(stream.name);
        expect(await broker.streamState(stream.name)).toBeUndefined();
        const after = await broker.ensureStream(stream);
        expect(after).toMatchObject({ lastSeq: 0 });
        expect(after?.created).not.toBe(before?.created);
      });

      it("of an external owner are waited for, never made", async () => {
        const external = streamPlan({ external: true });
        expect(await broker.ensureStream(external)).toBeUndefined();
        expect(await broker.streamState(external.name)).toBeUndefined();
      });
    });

    describe("durables", () => {
      it("are made once, and deliver from the beginning", async () => {
        await publish("a");
        expect(await broker.consumerState(stream.name, "reader")).toBeUndefined();
        const first = await broker.ensureConsumer(durablePlan(stream));
        expect(first).toMatchObject({ created: true, state: { pending: 1, ackPending: 0 } });
        const second = await broker.ensureConsumer(durablePlan(stream));
        expect(second).toMatchObject({ created: false, state: { created: first.state.created } });
      });

      it("refuse another filter instead of taking it", async () => {
        await broker.ensureConsumer(durablePlan(stream));
        const other = durablePlan(stream, { filter: `${stream.name.toLowerCase()}.group.*.*` });
        await expect(broker.ensureConsumer(other)).rejects.toThrow(/reads/);
        await publish("a");
        expect(await broker.consumerState(stream.name, "reader")).toMatchObject({ pending: 1 });
      });

      it("of a stream that is not there are gone", async () => {
        const nowhere = durablePlan(streamPlan());
        await expect(broker.ensureConsumer(nowhere)).rejects.toBeInstanceOf(ConsumerGone);
      });
    });

    subscriptionContract({
      under: () => under,
      broker: () => broker,
      stream: () => stream,
      subscriptions,
      publish,
      consume,
    });

    describe("stored messages", () => {
      it("are found by sequence and as the last of a subject, and deleted one by one", async () => {
        for (const id of ["a", "b", "a"]) await publish(id);
        const last = () => broker.storedMessage(stream.name, { last: subjectIn(stream, "a", "created") });
        expect(await broker.storedMessage(stream.name, { seq: 2 })).toMatchObject({
          subject: subjectIn(stream, "b", "created"),
          seq: 2,
        });
        expect((await last())?.seq).toBe(3);
        const next = (after: number) =>
          broker.storedMessage(stream.name, { after, filter: subjectIn(stream, "a", "*") });
        expect((await next(0))?.seq).toBe(1);
        expect((await next(1))?.seq).toBe(3);
        expect(await next(3)).toBeUndefined();
        expect([...(await broker.subjectsOf(stream.name, ">"))].sort()).toEqual(
          ["a", "b"].map((id) => subjectIn(stream, id, "created")),
        );
        expect(await broker.deleteMessage(stream.name, 3)).toBe(true);
        expect(await broker.deleteMessage(stream.name, 3)).toBe(false);
        expect((await last())?.seq).toBe(1);
        expect(await broker.storedMessage(stream.name, { seq: 3 })).toBeUndefined();
        expect(await broker.subjectsOf(stream.name, "nobody.>")).toEqual([]);
      });

      it("of a stream of dead letters are the last of each subject", async () => {
        const letters = { ...streamPlan(), maxAgeSeconds: 0, deadLetters: true } as const;
        await broker.ensureStream(letters);
        for (const [id, body] of [
          ["1", "one"],
          ["2", "two"],
        ] as const)
          await broker.publish({ subject: subjectIn(letters, "a"), id, body: bytes(body) });
        expect(await broker.streamState(letters.name)).toMatchObject({ messages: 1, lastSeq: 2 });
        // Once more: its settings are as planned.
        expect(await broker.ensureStream(letters)).toMatchObject({ messages: 1 });
      });
    });

    describe("replay", () => {
      const replayed = async (filter: string, from: number) => {
        const seqs: number[] = [];
        for await (const message of broker.replay(stream.name, filter, from)) seqs.push(message.seq);
        return seqs;
      };

      it("reads what is stored, in order, from a sequence, by filter", async () => {
        for (let place = 1; place <= 150; place += 1)
          await publish(`r${place}`, place % 2 ? "created" : "deleted");
        const all = Array.from({ length: 150 }, (_, place) => place + 1);
        expect(await replayed(">", 1)).toEqual(all);
        expect(await replayed(">", 140)).toEqual(all.slice(139));
        expect(await replayed(">", 151)).toEqual([]);
        expect(await replayed(`${stream.name.toLowerCase()}.user.*.deleted`, 100)).toEqual(
          all.slice(99).filter((seq) => seq % 2 === 0),
        );
      });

      it("gives bodies and headers as they were published", async () => {
        await broker.publish({ subject: subjectIn(stream, "a"), id: "id-1", body: bytes('{"a":1}') });
        for await (const message of broker.replay(stream.name, ">", 1)) {
          expect(message).toMatchObject({ subject: subjectIn(stream, "a"), stream: stream.name, seq: 1 });
          expect(text(message.body)).toBe('{"a":1}');
          expect(message.headers).toMatchObject({ "Nats-Msg-Id": "id-1" });
        }
      });

      it("ends at what was last when it began", async () => {
        await publish("a");
        await publish("b");
        const seqs: number[] = [];
        for await (const message of broker.replay(stream.name, ">", 1)) {
          seqs.push(message.seq);
          await publish(`later${message.seq}`);
        }
        expect(seqs).toEqual([1, 2]);
      });

      it("of a stream that is not there fails", async () => {
        const reading = broker.replay("NOWHERE", ">", 1)[Symbol.asyncIterator]().next();
        await expect(reading).rejects.toThrow(/NOWHERE/);
      });
    });
  });
}
