import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningConsumer } from "../../../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { Logger } from "../../../runtime/definition/hook-definition.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { type DefinitionChoices, userConsumer } from "../../support/user-consumer.js";

/** As the gateway's: cascades, no copy of what they hang on, and a source that may be missing. */
function withoutCache(choices: DefinitionChoices): ConsumerDefinition {
  const { cache, sync, ...rest } = userConsumer({ ...choices, sync: true });
  return {
    ...rest,
    sync: { ...sync, key: "user_id", optional: true } as Required<ConsumerDefinition>["sync"],
  };
}

describe("a consumer without a cache", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig();
  });
  afterEach(() => rig.close());

  const start = async (choices: DefinitionChoices = {}, env?: Record<string, string>) =>
    await rig.start(withoutCache({ stream: rig.stream, ...choices }), env === undefined ? {} : { env });
  const user = (user_id: string, _version = 1) => ({ user_id, username: user_id, _version });
  const attach = (...ids: string[]) =>
    rig.pool.query(
      "INSERT INTO containers (container_id, user_id) SELECT 'of-' || id, id FROM unnest($1::text[]) AS id",
      [ids],
    );
  const attached = async () =>
    (await rig.pool.query("SELECT user_id FROM containers ORDER BY 1")).rows.map((row) => row.user_id);
  const known = async () =>
    Object.fromEntries(
      (await rig.pool.query("SELECT entity_id, version::int, deleted FROM mesh.applied")).rows.map((row) => [
        row.entity_id,
        `${row.deleted ? "deleted" : "alive"} ${row.version}`,
      ]),
    );
  const read = (consumer: RunningConsumer, rows: number) =>
    waitFor(() => consumer.stats().lastSnapshot?.rows === rows, { what: `a snapshot of ${rows}` });

  it("removes rows that refer to an entity whose deletion was missed, once the source lacks it", async () => {
    rig.source = [user("told"), user("heard"), user("stays")];
    const consumer = await start();
    await read(consumer, 3);
    await rig.say({ id: "heard", action: "created", version: 1 });
    await waitFor(async () => (await known()).heard === "alive 1");
    expect(await known()).toEqual({ told: "alive 0", heard: "alive 1", stays: "alive 0" });
    await attach("told", "heard", "stays", "never-heard-of");
    rig.source = [user("stays")];
    expect(await consumer.resync()).toMatchObject({ rows: 1, written: 0, removed: 2 });
    expect(await attached()).toEqual(["never-heard-of", "stays"]);
    await expect(attach("told")).rejects.toThrow("is deleted");
    expect(await known()).toMatchObject({ told: "deleted 0", stays: "alive 0" });
  });

  it("heals after its stream was deleted with the deletion in it, without being asked", async () => {
    rig.source = [user("a"), user("b")];
    const consumer = await start();
    await read(consumer, 2);
    await attach("a", "b");
    rig.source = [user("b")];
    await rig.manager.streams.delete(rig.stream);
    await waitFor(async () => (await attached()).join() === "b", { timeoutMs: 12_000, what: "the cascade" });
    await waitFor(() => consumer.stats().connected);
  });

  it("revives what was deleted and created again, and keeps what is attached when its event comes", async () => {
    rig.source = [];
    const consumer = await start();
    await read(consumer, 0);
    await rig.say({ id: "a", action: "created", version: 1 });
    await rig.say({ id: "a", action: "deleted", version: 2 });
    await waitFor(async () => (await known()).a === "deleted 2");
    rig.source = [user("a", 3)];
    expect(await consumer.resync()).toMatchObject({ written: 1, removed: 0 });
    await attach("a");
    await rig.say({ id: "a", action: "created", version: 3 });
    await waitFor(async () => (await known()).a === "alive 3");
    expect(await attached()).toEqual(["a"]);
  });

  it("overtakes no event: each hook runs, for what is on its way when the source is read", async () => {
    const seen: string[] = [];
    const note = (what: string) => async (context: { event: { user_id: string }; origin: string }) => {
      seen.push(`${context.origin} ${what} ${context.event.user_id}`);
    };
    const hooks = { created: note("created"), updated: note("updated"), deleted: note("deleted") };
    const first = await start({ hooks });
    await waitFor(() => first.stats().connected);
    await first.stop();
    // Both wait in the stream while the source, which is ahead of it, is read.
    for (const [action, version] of [
      ["created", 1],
      ["updated", 2],
    ] as const)
      await rig.say({ id: "a", action, version });
    for (const [action, version] of [
      ["created", 1],
      ["deleted", 2],
    ] as const)
      await rig.say({ id: "b", action, version });
    rig.source = [user("a", 2)];
    const consumer = await start({ hooks });
    await read(consumer, 1);
    await waitFor(() => seen.length >= 4, { what: "four hooks" });
    expect(seen.sort()).toEqual(["event created a", "event created b", "event deleted b", "event updated a"]);
    rig.source = [];
    expect(await consumer.resync()).toMatchObject({ removed: 1 });
    expect(seen.at(-1)).toBe("snapshot deleted a");
  });

  it("lets deletions through that are on their way: only their events tell all that a hook needs", async () => {
    const seen: string[] = [];
    const hooks: DefinitionChoices["hooks"] = {
      deleted: async ({ event, origin }) => void seen.push(`${origin} deleted ${event.user_id}`),
    };
    rig.source = [user("a"), user("lost"), user("stays")];
    const first = await start({ hooks });
    await read(first, 3);
    await first.stop();
    await rig.say({ id: "a", action: "deleted", version: 1 });
    const other = await rig.nats.jetstream().consumers.get(rig.stream, "compute_auth_user");
    const held = await other.next({ expires: 2_000 });
    rig.source = [user("stays")];
    const consumer = await start({ hooks });
    await waitFor(() => rig.reads() > 1, { what: "the source to be read again" });
    await new Promise((wake) => setTimeout(wake, 600));
    expect(seen).toEqual([]);
    held?.nak();
    await read(consumer, 1);
    expect(seen).toEqual(["event deleted a", "snapshot deleted lost"]);
  });

  it("starts without the variable, says once what it cannot do, and asks nobody", async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silent, warn: (_, message) => warnings.push(message), child: () => logger };
    const consumer = await rig.start(withoutCache({ stream: rig.stream }), {
      env: { SFS_TO_AUTH_KEY: "k" },
      logger,
    });
    await waitFor(() => consumer.stats().connected);
    await rig.say({ id: "a", action: "created", version: 1 });
    await waitFor(() => consumer.stats().applied === 1);
    expect(await consumer.resync()).toBeUndefined();
    expect(warnings).toEqual(["the variable is not set: deletions whose events are lost cannot be found"]);
    expect(consumer.stats()).toMatchObject({ lastError: undefined, stalled: false });
    expect(rig.reads()).toBe(0);
  });
});
