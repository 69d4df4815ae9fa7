import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listDeadLetters, redriveDeadLetter } from "../../../runtime/consumer/dead-letters.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { MeshEvent } from "../../../runtime/definition/event-definition.js";
import type { Handler } from "../../../runtime/definition/hook-definition.js";
import { consumersOf } from "../../../runtime/inbox/every-event.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { userConsumer } from "../../support/user-consumer.js";

/*
 * Two durables of one service on one subject: the copy, and a mailer with a name. What one has applied, tried or given up says
 * nothing of the other.
 */

let rig: Rig;
let mailed: string[];
beforeEach(async () => {
  rig = await openRig();
  mailed = [];
});
afterEach(() => rig.close());

function copy(failing: readonly string[] = []): ConsumerDefinition {
  const hooks = {
    async created({ event }: { readonly event: MeshEvent }) {
      if (failing.includes(event.metadata.entity_id)) throw new Error("the copy's hook fails");
    },
  };
  return userConsumer({ stream: rig.stream, hooks, attempts: 2, backoffSeconds: [0.1] });
}

type Mail = (line: string) => Promise<void> | void;

function mailer(mail: Mail = () => undefined, attempts = 3): ConsumerDefinition {
  const send: Handler<MeshEvent> = async ({ event, subject }) => {
    const line = `${subject.split(".").slice(2).join(".")} ${event.metadata.version ?? "-"}`;
    await mail(line);
    mailed.push(line);
  };
  const { cache: _, sync: __, ...consumer } = copy();
  const named = { ...consumer, durable: "compute_user_mailer", name: "mailer", onEvent: send };
  const definition = { ...named, delivery: { attempts, backoffSeconds: [0.1] } };
  return consumersOf({ consumers: [definition] })[0] ?? definition;
}

async function copied(): Promise<readonly string[]> {
  const { rows } = await rig.pool.query<{ id: string }>("SELECT user_id AS id FROM user_cache ORDER BY 1");
  return rows.map(({ id }) => id);
}

async function settled(...consumers: readonly ConsumerDefinition[]): Promise<void> {
  for (const { durable } of consumers)
    await waitFor(() => rig.settled(durable), { what: `${durable} to settle everything` });
}

test("each hears every event once, whoever is first", async () => {
  const [one, other] = [copy(), mailer()];
  await rig.start(one);
  await rig.say({ id: "a", action: "created", version: 1 });
  await rig.say({ id: "b", action: "created" });
  await settled(one);
  await rig.start(other);
  await rig.say({ id: "a", action: "updated", version: 2 });
  await waitFor(async () => mailed.length === 3, { what: "three mails" });
  expect(mailed.toSorted()).toEqual(["a.created 1", "a.updated 2", "b.created -"]);
  expect(await copied()).toEqual(["a", "b"]);
});

test("a duplicate is one to each of them, with and without a version", async () => {
  const definitions = [copy(), mailer()];
  for (const definition of definitions) await rig.start(definition);
  const metadata = {
    event_id: randomUUID(),
    entity_id: "a",
    timestamp: 1705920000,
    source: "auth-service",
  };
  const body = JSON.stringify({ metadata, user_id: "a", username: "name-a" });
  await waitFor(() => rig.settled("compute_user_mailer"), { what: "the mailer's durable" });
  for (let at = 0; at < 3; at += 1) await rig.nats.jetstream().publish(`${rig.stream}.user.a.created`, body);
  for (let at = 0; at < 3; at += 1) await rig.say({ id: "b", action: "created", version: 1 });
  await settled(...definitions);
  expect(mailed.toSorted()).toEqual(["a.created -", "b.created 1"]);
  const { rows } = await rig.pool.query("SELECT entity, entity_id FROM mesh.applied ORDER BY 1, 2");
  expect(rows.map(({ entity, entity_id }) => `${entity} ${entity_id}`)).toEqual([
    "auth.user a",
    "auth.user b",
    "auth.user/mailer a",
    "auth.user/mailer b",
  ]);
});

test("a mailer that hangs does not hold up the copy", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const [one, other] = [copy(), mailer((line) => (line.startsWith("a.") ? held : undefined))];
  await rig.start(one);
  await rig.start(other);
  await rig.say({ id: "a", action: "created", version: 1 });
  await rig.say({ id: "a", action: "updated", version: 2, payload: { username: "renamed" } });
  await settled(one);
  const { rows } = await rig.pool.query("SELECT username FROM user_cache");
  expect(rows).toEqual([{ username: "renamed" }]);
  expect(mailed).toEqual([]);
  release();
  await waitFor(async () => mailed.length === 2, { what: "both mails" });
  expect(mailed).toEqual(["a.created 1", "a.updated 2"]);
});

test("attempts and dead letters of one message are each consumer's own, and are redriven one by one", async () => {
  let broken = true;
  const tries: string[] = [];
  const definition = mailer((line) => {
    tries.push(line);
    if (broken) throw new Error("no mail server");
  });
  const one = copy(["a"]);
  await rig.start(one);
  await rig.start(definition);
  await rig.say({ id: "a", action: "created", version: 1 });
  await settled(one, definition);
  const letters = await listDeadLetters(rig.pool);
  expect(letters.map(({ durable, attempts }) => `${durable} ${attempts}`).toSorted()).toEqual([
    "compute_auth_user 2",
    "compute_user_mailer 3",
  ]);
  expect(tries).toHaveLength(3);
  expect((await rig.pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
  broken = false;
  const id = letters.find(({ durable }) => durable === definition.durable)?.id ?? 0;
  expect(await redriveDeadLetter({ pool: rig.pool, definition, id, logger: silent })).toEqual({
    outcome: "applied",
  });
  expect(mailed).toEqual(["a.created 1"]);
  expect(await copied()).toEqual([]);
});
