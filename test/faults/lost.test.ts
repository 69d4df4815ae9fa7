import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "vitest";
import { startNats } from "../../generator/dev/servers/nats-server.js";
import type { RunningServer } from "../../generator/dev/servers/process.js";
import type { RunningConsumer } from "../../runtime/consumer/consumer.js";
import { waitFor } from "../support/servers.js";
import type { UserHooks } from "../support/user-consumer.js";
import { type Copy, openCopy } from "../support/user-copy.js";

/*
 * Messages that were acknowledged to their publisher, are gone from its outbox, and then from the stream too.
 */

let copy: Copy;
let cleanUp: () => Promise<void> = async () => undefined;
afterEach(async () => {
  await copy?.close();
  await cleanUp();
  cleanUp = async () => undefined;
});

/** A broker whose disk can be reset to an earlier copy, as after a power cut that loses unsynced writes. */
async function startForgetfulNats(): Promise<
  RunningServer & { remember(): Promise<void>; forget(): Promise<void> }
> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-forgetful-"));
  const nats = await startNats({ folder });
  const [store, kept] = [join(folder, "jetstream"), join(folder, "kept")];
  cleanUp = async () => {
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return Object.assign(Object.create(nats) as RunningServer, {
    async remember() {
      await nats.stop();
      await cp(store, kept, { recursive: true });
      await nats.restart();
    },
    async forget() {
      await nats.kill();
      await rm(store, { recursive: true });
      await cp(kept, store, { recursive: true });
      await nats.restart();
    },
  });
}

const user = (id: string, username = `name-${id}`, version = 1) => ({
  user_id: id,
  username,
  _version: version,
});
const ten = Array.from({ length: 10 }, (_, at) => `u${at}`);
const allTen = Object.fromEntries(ten.map((id) => [id, `name-${id}`]));

/** A consumer whose first handler call blocks until it is released: the other messages wait in the stream. */
async function startStuck() {
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const created: NonNullable<UserHooks["created"]> = ({ origin }) =>
    origin === "event" ? gate : Promise.resolve();
  copy.serve([]);
  const consumer = await copy.start({ hooks: { created }, batch: 1, sync: true });
  await waitFor(() => consumer.stats().lastSnapshot?.rows === 0);
  return { consumer, letGo };
}

/** The test's own client and the consumer's, after a restart of the broker. */
async function backAgain(consumer: RunningConsumer): Promise<void> {
  await waitFor(() => copy.manager().streams.info(copy.stream));
  await waitFor(() => consumer.stats().connected);
}

describe("the tail of a stream that is lost", () => {
  it("after it was applied: reused sequences are not taken for old messages", async () => {
    const nats = await startForgetfulNats();
    copy = await openCopy({ natsUrl: nats.url });
    copy.serve([user("a"), user("b")]);
    const consumer = await copy.start({ sync: true });
    await copy.say({ id: "a", action: "created" }, { id: "b", action: "created" });
    await copy.untilNames({ a: "name-a", b: "name-b" });
    await nats.remember();
    await backAgain(consumer);
    for (const username of ["a2", "a3", "a4"]) await copy.say({ id: "a", username });
    await copy.untilNames({ a: "a4", b: "name-b" });
    copy.serve([user("a", "a4"), user("b")].map(({ _version, ...unversioned }) => unversioned));
    await nats.forget();
    await waitFor(async () => (await copy.manager().streams.info(copy.stream)).state.last_seq === 2);
    const newBase = async () => {
      const { rows } = await copy.pool.query("SELECT seq_offset FROM mesh.subscription");
      return Number(rows[0].seq_offset) >= 5;
    };
    await waitFor(newBase, { timeoutMs: 30_000, what: "sequences with another base" });
    await waitFor(() => consumer.stats().connected);
    await copy.say({ id: "a", username: "after" });
    await copy.untilNames({ a: "after", b: "name-b" });
  });

  it("before it was delivered: a snapshot restores the state within seconds", async () => {
    const nats = await startForgetfulNats();
    copy = await openCopy({ natsUrl: nats.url });
    const { consumer, letGo } = await startStuck();
    await nats.remember();
    await backAgain(consumer);
    await copy.say(...ten.map((id) => ({ id, action: "created", version: 1 })));
    await new Promise((wake) => setTimeout(wake, 400));
    copy.serve(ten.map((id) => user(id)));
    await nats.forget();
    letGo();
    await copy.untilNames(allTen, 20_000);
  });
});

it("a stream that is purged before all was delivered: a snapshot restores the state within seconds", async () => {
  copy = await openCopy();
  const { letGo } = await startStuck();
  await copy.say(...ten.map((id) => ({ id, action: "created", version: 1 })));
  await new Promise((wake) => setTimeout(wake, 400));
  copy.serve(ten.map((id) => user(id)));
  await copy.manager().streams.purge(copy.stream);
  letGo();
  await copy.untilNames(allTen);
});
