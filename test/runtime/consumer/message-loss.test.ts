import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, inject, it, onTestFinished } from "vitest";
import { startNats } from "../../../generator/dev/servers/nats-server.js";
import type { RunningServer } from "../../../generator/dev/servers/process.js";
import { type Broker, DurablePastEnd } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { userConsumer } from "../../support/user-consumer.js";

describe("message loss: messages that a stream loses while its consumer runs", () => {
  let rig: Rig | undefined;
  let server: RunningServer | undefined;
  afterEach(async () => {
    await rig?.close();
    await server?.stop();
    rig = undefined;
    server = undefined;
  });

  const user = (id: string, version = 1) => ({ user_id: id, username: `name-${id}`, _version: version });
  const cached = async (of: Rig) =>
    (await of.pool.query("SELECT user_id FROM user_cache ORDER BY 1")).rows.map((row) => row.user_id);
  const healed = async (of: Rig, ids: readonly string[], what: string) =>
    await waitFor(async () => (await cached(of)).join() === ids.join(), { timeoutMs: 12_000, what });

  it("are read from the source at once when they were purged before they were delivered", async () => {
    rig = await openRig();
    const { stream, manager, say } = rig;
    rig.source = [];
    const gate = { open: () => {} };
    const opened = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    const hooks = { created: () => opened };
    const consumer = await rig.start(userConsumer({ stream, sync: true, batch: 1, hooks }));
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 0);
    const ids = Array.from({ length: 10 }, (_, at) => `u${at}`);
    for (const id of ids) await say({ id, action: "created", version: 1 });
    await waitFor(() => (consumer.stats().pending ?? 0) > 0, { what: "some to be seen waiting" });
    rig.source = ids.map((id) => user(id));
    await manager.streams.purge(stream);
    gate.open();
    await healed(rig, ids, "the users whose events were purged");
  });

  it("are read from the source at once when the broker lost its newest messages", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mesh-tail-"));
    server = await startNats({ folder });
    rig = await openRig(server.url);
    const { stream, say, pool } = rig;
    rig.source = [user("a"), user("b")];
    const consumer = await rig.start(userConsumer({ stream, sync: true }));
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 2);
    await say({ id: "a", action: "updated", version: 2 });
    await waitFor(() => rig?.settled("compute_auth_user"));
    const messages = join(folder, "jetstream", "$G", "streams", stream, "msgs");
    await server.stop();
    await cp(messages, `${folder}-before`, { recursive: true });
    await server.restart();
    await waitFor(() => consumer.stats().connected);
    for (let version = 3; version < 9; version += 1) await say({ id: "a", action: "updated", version });
    await waitFor(() => rig?.settled("compute_auth_user"));
    await new Promise((wake) => setTimeout(wake, 500));
    const before = (await pool.query("SELECT stream_seq FROM mesh.applied WHERE entity_id = 'a'")).rows[0];
    // Of what comes next the broker forgets everything: "b" was deleted and "c" made, and nobody heard.
    rig.source = [user("a", 8), user("c")];
    await server.kill();
    await rm(messages, { recursive: true });
    await cp(`${folder}-before`, messages, { recursive: true });
    await server.restart();
    await healed(rig, ["a", "c"], "what the lost messages said");
    await waitFor(() => consumer.stats().connected);
    await say({ id: "d", action: "created", version: 1 });
    await healed(rig, ["a", "c", "d"], "the next event");
    const after = (await pool.query("SELECT stream_seq FROM mesh.applied WHERE entity_id = 'd'")).rows[0];
    // The stream's sequences start again below the ones applied, under a base that puts them above.
    expect(Number(after.stream_seq)).toBeGreaterThan(Number(before.stream_seq));
    await rm(`${folder}-before`, { recursive: true });
  });

  it("leave no pending retries for the messages that will have their sequences", async () => {
    rig = await openRig();
    const { stream, say, pool } = rig;
    const hooks = {
      created: async () => {
        throw new Error("not now");
      },
    };
    const definition = userConsumer({ stream, hooks, backoffSeconds: [60] });
    const attempts = async () =>
      (await pool.query("SELECT stream_seq::int AS seq FROM mesh.attempt ORDER BY 1")).rows.map(
        ({ seq }) => seq,
      );
    const consumer = await rig.start(definition);
    await waitFor(() => consumer.stats().connected);
    await say({ id: "a", action: "created", version: 1 });
    await waitFor(async () => (await attempts()).length === 1);
    await consumer.stop();
    await pool.query(
      `INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id, attempts, next_at)
       SELECT stream, 9, durable, entity, 'b', attempts, next_at FROM mesh.attempt`,
    );
    const again = await rig.start(definition);
    await waitFor(() => again.stats().connected);
    expect(await attempts()).toEqual([1]);
  });

  it("want a snapshot when the broker was restarted, though nothing shows", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mesh-anew-"));
    server = await startNats({ folder });
    rig = await openRig(server.url);
    const { stream } = rig;
    rig.source = [user("a")];
    const consumer = await rig.start(userConsumer({ stream, sync: true }));
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 1);
    await new Promise((wake) => setTimeout(wake, 1_000));
    // Nobody tells of it: as if its event had been lost with the broker, and another stored in its place.
    rig.source = [user("a"), user("b")];
    await server.kill();
    await server.restart();
    await healed(rig, ["a", "b"], "what only the source says");
  });

  it("want a snapshot while the durable is past the end of its stream, and when it delivers again", async () => {
    rig = await openRig();
    const { stream, say } = rig;
    rig.source = [user("a")];
    const real = await connectJetStream({ url: inject("nats"), name: "test", logger: silent });
    onTestFinished(() => real.close());
    // As a broker before 2.14 is to a user who may not delete the durable.
    let ahead = false;
    const broker: Broker = {
      ...real,
      async streamState(name) {
        const state = await real.streamState(name);
        return state && ahead ? { ...state, lastSeq: 0 } : state;
      },
      async ensureConsumer(plan) {
        if (ahead) throw new DurablePastEnd("the durable is ahead of its stream");
        return await real.ensureConsumer(plan);
      },
    };
    const consumer = await rig.start(userConsumer({ stream, sync: true }), { broker });
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 1);
    await say({ id: "a", action: "updated", version: 2 });
    await waitFor(() => rig?.settled("compute_auth_user"));
    rig.source = [user("a", 2), user("b")];
    ahead = true;
    await waitFor(() => consumer.stats().lastError?.includes("ahead"));
    await healed(rig, ["a", "b"], "what was lost, though nothing is delivered");
    // Too early to know what the durable is going to pass over.
    await consumer.resync();
    rig.source = [user("a", 2), user("b"), user("c")];
    ahead = false;
    await healed(rig, ["a", "b", "c"], "what the durable passed over");
  });
});
