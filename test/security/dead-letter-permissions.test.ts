import { connect, type NatsConnection } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMesh } from "../support/compile.js";
import { startNats, type TestNats } from "../support/servers.js";

/*
 * The stream of a service's dead letters, under the emitted accounts: its own service keeps and forgets there, nobody else does,
 * and no service reads or deletes another's messages by it.
 */

const FOLDER = "test/scenarios/emit/without-database/expected";
const USERS = ["courier", "depot", "mesh_operator"];
const env = Object.fromEntries(
  USERS.map((user) => [`${user.toUpperCase()}_NATS_PASSWORD`, `"secret of ${user}"`]),
);

let server: TestNats;
const clients: NatsConnection[] = [];

async function managerAs(user: string) {
  const pass = `secret of ${user}`;
  const client = await connect({ servers: server.url, user, pass, inboxPrefix: `_INBOX_${user}` });
  clients.push(client);
  const manager = await client.jetstreamManager({ checkAPI: false, timeout: 1_000 });
  return { client, manager };
}

beforeAll(async () => {
  server = await startNats({
    configuration: readMesh(`${FOLDER}/nats.conf`),
    env: { ...process.env, ...env },
  });
  const { manager } = await managerAs("mesh_operator");
  const plan = JSON.parse(readMesh(`${FOLDER}/plan.json`));
  for (const { config } of plan.streams) await manager.streams.add(config);
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server?.remove();
});

test("the service keeps, reads, counts and deletes in its own stream", async () => {
  const { client, manager } = await managerAs("courier");
  const { seq } = await client.jetstream().publish("$MESH.courier.dead.d.1-1", "letter");
  expect((await manager.streams.getMessage("DEAD_COURIER", { seq })).string()).toBe("letter");
  const { state } = await manager.streams.info("DEAD_COURIER", { subjects_filter: "$MESH.courier.dead.>" });
  expect(Object.keys(state.subjects ?? {})).toEqual(["$MESH.courier.dead.d.1-1"]);
  expect(await manager.streams.deleteMessage("DEAD_COURIER", seq)).toBe(true);
});

test("it deletes nothing of its owner's stream, and cannot drop or empty its own", async () => {
  const { manager } = await managerAs("courier");
  await expect(manager.streams.deleteMessage("DEPOT", 1)).rejects.toThrow(/Permission|permission/);
  await expect(manager.streams.delete("DEAD_COURIER")).rejects.toThrow(/Permission|permission/);
  await expect(manager.streams.purge("DEAD_COURIER")).rejects.toThrow(/Permission|permission/);
});

test("no other service writes, reads or deletes there", async () => {
  const { client, manager } = await managerAs("depot");
  await expect(
    client.jetstream().publish("$MESH.courier.dead.d.1-1", "forged", { timeout: 500 }),
  ).rejects.toThrow();
  await expect(manager.streams.getMessage("DEAD_COURIER", { seq: 1 })).rejects.toThrow(
    /Permission|permission/,
  );
  await expect(manager.streams.deleteMessage("DEAD_COURIER", 1)).rejects.toThrow(/Permission|permission/);
  const operator = await managerAs("mesh_operator");
  expect((await operator.manager.streams.info("DEAD_COURIER")).state.messages).toBe(0);
});
