import { connect } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import { OPERATOR, passwordOf } from "../support/mesh-broker.js";
import { openPair, type Pair } from "../support/owner-and-copy.js";
import { waitFor } from "../support/servers.js";

let pair: Pair;
afterEach(() => pair?.close());

/** Since the backup two users stay unchanged, one is renamed, one is deleted and one is new. */
async function liveOn(): Promise<() => Promise<void>> {
  await pair.start("auth");
  await pair.start("sfs");
  await pair.write(
    "INSERT INTO users (user_id, username) VALUES ('same', 'same'), ('renamed', 'before'), ('deleted', 'deleted')",
  );
  await pair.converged();
  await pair.published();
  const restore = await pair.backUp("auth");
  await pair.write("UPDATE users SET username = 'after' WHERE user_id = 'renamed'");
  await pair.write("DELETE FROM users WHERE user_id = 'deleted'");
  await pair.write("INSERT INTO users (user_id, username) VALUES ('new', 'new')");
  await pair.converged();
  await pair.published();
  return restore;
}

describe("the owner's database is restored from a backup", () => {
  const expectHeard = async () => {
    // Until the owner has compared its versions with the stream's, its events are stale.
    await waitFor(async () => {
      await pair.resync();
      expect(await pair.cache()).toEqual(await pair.source());
      return true;
    });
    expect((await pair.cache()).map(({ user_id }) => user_id)).toEqual(["deleted", "renamed", "same"]);
    await pair.write("UPDATE users SET username = username || '!'");
    await pair.write("INSERT INTO users (user_id, username) VALUES ('new', 'again')");
    await pair.converged();
    await pair.write("DELETE FROM users WHERE user_id IN ('deleted', 'new')");
    await pair.converged();
  };

  it("the cache goes back with it, and applies the events written from then on", async () => {
    pair = await openPair();
    const restore = await liveOn();
    await pair.stop("auth");
    await restore();
    await pair.start("auth");
    await pair.published();
    await expectHeard();
  });

  it("also where the stream no longer has the events published since the backup", async () => {
    pair = await openPair();
    const restore = await liveOn();
    await pair.stop("auth");
    await restore();
    const admin = await connect({ servers: pair.nats.url, user: OPERATOR, pass: passwordOf(OPERATOR) });
    await (await admin.jetstreamManager()).streams.purge("AUTH");
    await admin.close();
    await pair.start("auth");
    await waitFor(
      async () => (await pair.pools.auth.query("SELECT FROM mesh.relay WHERE minimum_version > 0")).rowCount,
    );
    await expectHeard();
  });
});

describe("the consumer's database is restored from a backup", () => {
  it("a snapshot at the start restores it, each hook's effect there exactly once", async () => {
    pair = await openPair({
      hooks: {
        onUserCreated: async ({ event, tx }) => {
          await tx.query("INSERT INTO namespaces (namespace_id, name, owner_id) VALUES ($1, $1, $1)", [
            event.user_id,
          ]);
        },
      },
    });
    await pair.start("auth");
    await pair.start("sfs");
    await pair.write("INSERT INTO users (user_id, username) VALUES ('a', 'a'), ('b', 'b'), ('gone', 'gone')");
    await pair.converged();
    const restore = await pair.backUp("sfs");
    await pair.write(
      "UPDATE users SET username = CASE user_id WHEN 'a' THEN 'x' ELSE 'a' END WHERE user_id <> 'gone'",
    );
    await pair.write("DELETE FROM users WHERE user_id = 'gone'");
    await pair.write("INSERT INTO users (user_id, username) VALUES ('new', 'new')");
    await pair.converged();
    await pair.stop("sfs");
    await restore();
    await pair.start("sfs");
    await pair.converged();
    const { rows } = await pair.pools.sfs.query("SELECT namespace_id, owner_id FROM namespaces ORDER BY 1");
    expect(rows).toEqual([
      { namespace_id: "a", owner_id: "a" },
      { namespace_id: "b", owner_id: "b" },
      { namespace_id: "gone", owner_id: null },
      { namespace_id: "new", owner_id: "new" },
    ]);
  });
});
