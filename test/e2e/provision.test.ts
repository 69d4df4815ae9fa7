import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";
import { startNats, type TestNats } from "../support/servers.js";

/*
 * A broker as in production: the generated permissions and nothing in it. Services may not make their
 * streams and durables there, so somebody has to.
 */

const SERVICES = ["auth", "compute", "gateway", "sfs"];
let nats: TestNats;

beforeAll(async () => {
  nats = await emptyBroker();
});

afterAll(() => nats?.remove());

const as = (user: string) => ({ NATS_URL: nats.url, NATS_USER: user, NATS_PASSWORD: `pw_${user}` });

test("provisioning creates every stream and durable, and is idempotent", async () => {
  const made = await meshWith(ROOT, as("mesh_operator"), "provision", "--json");
  expect(made.code, made.stderr).toBe(0);
  const streams = ["AUTH", "COMPUTE", "GATEWAY", "SFS"];
  const durables = ["compute_auth_user", "gateway_compute_container", "sfs_auth_user"];
  expect(JSON.parse(made.stdout)).toMatchObject({ streams, durables, missing: [] });

  const again = await meshWith(ROOT, as("mesh_operator"), "provision", "--json");
  expect(JSON.parse(again.stdout)).toEqual({ streams, durables, missing: [], notices: [] });

  const client = await connect({ servers: nats.url, user: "mesh_operator", pass: "pw_mesh_operator" });
  const manager = await client.jetstreamManager();
  const found = [];
  for await (const { config } of manager.streams.list()) found.push(config.name);
  expect(found.sort()).toEqual(streams);
  expect((await manager.consumers.info("AUTH", "sfs_auth_user")).config.filter_subject).toBe("auth.user.*.*");
  await client.close();
});

test("a service's own user is refused, and told so", async () => {
  const fresh = await emptyBroker();
  const refused = await meshWith(ROOT, { ...as("sfs"), NATS_URL: fresh.url }, "provision");
  await fresh.remove();
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain("missing   AUTH: this user may not make it");
});

test("a wrong password is said at once", async () => {
  const refused = await meshWith(ROOT, { ...as("mesh_operator"), NATS_PASSWORD: "wrong" }, "provision");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/Authorization Violation/i);
});

async function emptyBroker(): Promise<TestNats> {
  const users = [...SERVICES.map((name) => name.toUpperCase()), "MESH_OPERATOR"];
  return await startNats({
    configuration: readFileSync(join(ROOT, "generated/nats.conf"), "utf8"),
    env: Object.fromEntries(users.map((user) => [`${user}_NATS_PASSWORD`, `pw_${user.toLowerCase()}`])),
  });
}
