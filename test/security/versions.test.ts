import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lowerVersions } from "../../runtime/operate/lower-versions.js";
import { requestResync } from "../../runtime/operate/request-resync.js";
import { HIGHEST_VERSION } from "../../runtime/values/version.js";
import { ROOT } from "../support/compile.js";
import { type Ended, meshWith } from "../support/mesh-command.js";
import {
  type BareClient,
  bareClient,
  cached,
  call,
  register,
  type ServiceName,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

/*
 * Somebody who may publish a subject says what version an event has. One number must not freeze an entity, nor all of
 * its owner's, in a way that nobody is told of and nothing heals.
 */

let mesh: TestMesh;
let bare: BareClient;
beforeAll(async () => {
  mesh = await startMesh();
  bare = await bareClient(mesh.operatorUrl);
});
afterAll(async () => {
  await bare?.close();
  await mesh?.stop();
});

/** A forged event of a user, valid but for what `version` may be. */
async function forge(id: string, action: string, version: number | string): Promise<void> {
  const metadata = `"event_id":"${randomUUID()}","entity_id":"${id}","timestamp":1,"source":"auth-service","version":${version}`;
  const fields = action === "deleted" ? "" : ',"display_name":"forged"';
  const body = `{"metadata":{${metadata}},"user_id":"${id}","username":"forged-${id}"${fields}}`;
  await bare.publish(`auth.user.${id}.${action}`, body);
}

const run = (...args: readonly string[]): Promise<Ended> => meshWith(ROOT, mesh.env, ...args);
const rename = (id: string, display_name: string) =>
  call(mesh, "auth", `PATCH /api/users/${id}`, { display_name });
const settled = async (service: "sfs" | "compute") => bare.drained("AUTH", `${service}_auth_user`);
const nameHere = async (id: string) => (await cached(mesh, "sfs", id))?.display_name;

async function resync(service: ServiceName, trustSource: boolean) {
  const { url } = mesh.services[service];
  const [result] = await requestResync({ url, operatorKey: mesh.key, trustSource });
  return result?.report;
}

const isSome = (count: number) => count > 0;

async function trust(...services: readonly ServiceName[]): Promise<void> {
  for (const service of services)
    expect(await resync(service, true)).toMatchObject({ ahead: 0, overruled: expect.toSatisfy(isSome) });
}

async function count(service: ServiceName, sql: string, ...values: readonly unknown[]): Promise<number> {
  return (await mesh.databases[service].query(sql, [...values])).rowCount ?? 0;
}

async function user(name: string): Promise<string> {
  const id = await register(mesh, name);
  await waitFor(async () => (await cached(mesh, "sfs", id)) && (await cached(mesh, "compute", id)));
  return id;
}

async function deadLetters(id: string): Promise<readonly string[]> {
  const sql = "SELECT error FROM mesh.dead_letter WHERE subject LIKE '%' || $1 || '%'";
  const { rows } = await mesh.databases.sfs.query<{ error: string }>(sql, [id]);
  return rows.map(({ error }) => error);
}

describe("a forged version", () => {
  it("beyond the maximum is a dead letter with the reason, and changes no state", async () => {
    const id = await user("calm");
    const versions = [
      HIGHEST_VERSION + 1,
      Number.MAX_SAFE_INTEGER,
      "1e308",
      "1e400",
      0,
      -1,
      1.5,
      '"7"',
      "null",
    ];
    for (const version of versions) await forge(id, "updated", version);
    await waitFor(async () => (await deadLetters(id)).length === versions.length);
    for (const reason of await deadLetters(id)) expect(reason).toContain("/metadata/version must be");
    await rename(id, "genuine");
    await waitFor(async () => (await nameHere(id)) === "genuine");
  });

  it("below it is found by verify, is not healed by a plain resync, which says so, and is healed by --trust-source", async () => {
    const id = await user("frozen");
    const other = await user("other");
    await forge(id, "updated", 1e12);
    await waitFor(async () => (await nameHere(id)) === "forged");
    await rename(id, "genuine");
    await settled("sfs");
    expect(await nameHere(id)).toBe("forged");

    const found = await run("verify", "sfs");
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/1 differing, 1 ahead/);
    expect(found.stdout).toContain("version 1000000000000 is known here, its source is at 2");
    expect(found.stdout).toContain("healed by: mesh resync sfs --trust-source");

    const plain = await run("resync", "sfs");
    expect(plain.code).toBe(1);
    expect(plain.stdout).toContain("not healed: 1 entity known here at later versions");
    expect(plain.stdout).toContain("mesh resync sfs --trust-source");
    expect(await nameHere(id)).toBe("forged");
    const status = await run("status");
    expect(status.stdout).toContain(`${id} (version 1000000000000 is known here`);

    const trusting = await run("resync", "sfs", "--trust-source");
    expect(trusting.stdout).toContain("the source's word was taken for 1 entity");
    expect(trusting.code).toBe(0);
    await trust("compute");
    expect(mesh.services.sfs.log.some((line) => line.includes("the source's word is taken"))).toBe(true);
    expect(await nameHere(id)).toBe("genuine");
    await rename(id, "heard");
    await rename(other, "heard too");
    await waitFor(async () => (await nameHere(id)) === "heard" && (await nameHere(other)) === "heard too");
  });

  it("does not prevent cascades of a deletion at the source, nor a re-creation of the id", async () => {
    const id = await user("leaving");
    await call(mesh, "sfs", "POST /api/namespaces", { name: "theirs", owner_id: id });
    const container = { user_id: id, name: "c", namespace: "n", image: "i" };
    await call(mesh, "compute", "POST /api/containers", container);
    await forge(id, "updated", 1e12);
    await waitFor(async () => (await nameHere(id)) === "forged");
    await call(mesh, "auth", `DELETE /api/users/${id}`);
    await settled("sfs");
    await settled("compute");
    expect(await nameHere(id)).toBe("forged");
    await trust("sfs", "compute");
    expect(await cached(mesh, "sfs", id)).toBeUndefined();
    expect(await count("sfs", "SELECT FROM namespaces WHERE owner_id = $1", id)).toBe(0);
    await waitFor(async () => (await count("compute", "SELECT FROM containers")) === 0);
    await mesh.databases.auth.query(
      "INSERT INTO users (user_id, username, display_name) VALUES ($1, 'again', 'again')",
      [id],
    );
    await waitFor(async () => (await nameHere(id)) === "again");
  });

  it("of a deletion, at the version that the source is at, is taken back as well", async () => {
    const id = await user("undead");
    await rename(id, "second");
    await waitFor(async () => (await nameHere(id)) === "second");
    await forge(id, "deleted", 3);
    await waitFor(async () => (await cached(mesh, "sfs", id)) === undefined);
    await rename(id, "third");
    await settled("sfs");
    expect(await resync("sfs", false)).toMatchObject({ ahead: 1, overruled: 0 });
    const found = await run("verify", "sfs");
    expect(found.stdout).toContain("deleted here at version 3, its source is at 3");
    await trust("sfs", "compute");
    expect(await nameHere(id)).toBe("third");
  });

  it("does not prevent the cascade of a deletion in a service without a cache", async () => {
    const owner = await user("owner");
    const container = { user_id: owner, name: "frozen", namespace: "n", image: "i" };
    const made = await call(mesh, "compute", "POST /api/containers", container);
    const container_id = String(made.body.container_id);
    const route = { container_id, host: "frozen.test", target: "http://10.0.0.1" };
    await call(mesh, "gateway", "POST /api/routes", route);
    const heard =
      "SELECT FROM mesh.applied WHERE entity = 'compute.container' AND entity_id = $1 AND version >= $2";
    await waitFor(async () => (await count("gateway", heard, container_id, 1)) === 1);
    const metadata = { event_id: "x", entity_id: container_id, timestamp: 1, source: "x", version: 1e12 };
    const forged = JSON.stringify({ metadata, container_id, user_id: owner });
    await bare.publish(`compute.container.${container_id}.stopped`, forged);
    await waitFor(async () => (await count("gateway", heard, container_id, 1e12)) === 1);
    const found = await run("verify", "gateway");
    expect(found.stdout).toContain("versions of compute.container: 0 missing, 0 extra, 0 differing, 1 ahead");
    expect(found.stdout).toContain("mesh resync gateway --trust-source");
    expect(await resync("gateway", false)).toMatchObject({ ahead: 1 });
    await call(mesh, "compute", `DELETE /api/containers/${container_id}`);
    await waitFor(async () => (await count("compute", "SELECT FROM mesh.outbox")) === 0);
    await bare.drained("COMPUTE", "gateway_compute_container");
    expect(await count("gateway", "SELECT FROM routes")).toBe(1);
    await resync("gateway", true);
    expect(await count("gateway", "SELECT FROM routes")).toBe(0);
    // Its tombstone's version is not above the owner's counter: the id can be re-created.
    expect(await count("gateway", heard, container_id, 1_000)).toBe(0);
  });

  it("as the stream's last message at a relay's restart does not raise versions", async () => {
    const [id, other] = [await user("target"), await user("bystander")];
    await mesh.services.auth.stop();
    await forge(id, "updated", Number.MAX_SAFE_INTEGER);
    await forge(id, "updated", 1e12);
    await forge("%00", "updated", 5);
    await forge(id, "updated", "9007199254740993");
    await mesh.services.auth.start();
    await rename(other, "heard");
    await waitFor(async () => (await nameHere(other)) === "heard");
    const { rows } = await mesh.databases.auth.query<{ floor: number; highest: number }>(
      "SELECT minimum_version::float8 AS floor, (SELECT max(version)::float8 FROM mesh.entity_version) AS highest FROM mesh.relay",
    );
    expect(rows[0]?.floor).toBe(0);
    expect(rows[0]?.highest).toBeLessThan(20);
    const lines = mesh.services.auth.log.filter((line) => line.includes("not believed"));
    expect(lines).toHaveLength(3);
    await rename(id, "unheard");
    await settled("sfs");
    await settled("compute");
    await trust("sfs", "compute");
    await rename(id, "heard again");
    await waitFor(async () => (await nameHere(id)) === "heard again");
  });
});

describe("version counters that a forged message has raised", () => {
  it("are refused at the row with the command that lowers them, and lowered; subscribers then take the source's word", async () => {
    const [id, other] = [await user("lifted"), await user("beside")];
    const { auth } = mesh.databases;
    await auth.query("UPDATE mesh.relay SET minimum_version = 9007199254740993");
    await auth.query("UPDATE mesh.entity_version SET version = 9007199254740999 WHERE entity_id = $1", [id]);
    await expect(auth.query("UPDATE users SET display_name = 'x'")).rejects.toMatchObject({
      code: "23514",
      message: expect.stringContaining("mesh lower-versions"),
    });
    const lowered = await run("lower-versions", "auth");
    expect(lowered.code).toBe(0);
    expect(lowered.stdout).toMatch(/1 counter and the minimum version lowered to \d+\n/);
    expect(lowered.stdout).toContain("mesh resync sfs --trust-source");
    expect((await run("lower-versions", "auth")).stdout).toContain("every counter is plausible");
    await rename(id, "goes on");
    await rename(other, "goes on");
    await waitFor(async () => (await nameHere(id)) === "goes on" && (await nameHere(other)) === "goes on");
    expect(await lowerVersions(auth)).toMatchObject({ entities: 0, minimumVersion: false });
  });
});
