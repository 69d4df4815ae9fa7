import { afterAll, beforeAll, expect, test } from "vitest";
import { startAnswering } from "../support/answering-server.js";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";
import { startMesh, type TestMesh, waitFor } from "../support/reference-mesh.js";

/*
 * The owner of all users is written by hand, and says of some of them what nobody can take: the copy is healed all the same,
 * and whoever operates it is told of each.
 */

let mesh: TestMesh;
let body = "[]";
const source = await startAnswering((request, response) => {
  const found = request.url === "/api/users";
  response.writeHead(found ? 200 : 404).end(found ? body : "{}");
});

beforeAll(async () => {
  mesh = await startMesh({ start: [], env: { sfs: { AUTH_SERVICE_URL: source.url } } });
  await mesh.services.sfs.start();
}, 60_000);
afterAll(async () => {
  await mesh?.stop();
  await source.close();
});

const good = (id: string) => `{"user_id":"${id}","username":"name of ${id}","display_name":""}`;

async function operate(...args: readonly string[]) {
  const { code, stdout, stderr } = await meshWith(
    ROOT,
    { ...mesh.env, AUTH_SERVICE_URL: source.url },
    ...args,
  );
  expect(code, stderr).not.toBe(2);
  return { code, stdout };
}

const users = async () =>
  (await mesh.databases.sfs.query("SELECT user_id, username FROM user_cache ORDER BY 1")).rows.map(
    ({ user_id, username }) => `${user_id}: ${username}`,
  );

test("unfit rows in a snapshot are named by status, resync and verify, and delay no other row", async () => {
  body = `[${["bad", "gone", "stays", "twice"].map(good).join()}]`;
  expect((await operate("resync", "sfs")).code).toBe(0);
  await waitFor(async () => (await users()).length === 4);
  body = `[
    ${good("new")},
    {"user_id":"bad","username":NaN,"display_name":""},
    {"user_id":"nul","username":"a\\u0000b","display_name":""},
    {"user_id":"number","username":2e400,"display_name":""},
    null, 17, {"username":"nobody"},
    {"user_id":"clash","username":"name of new","display_name":""},
    {"user_id":"twice","username":"first","display_name":""}, {"user_id":"twice","username":"second","display_name":""},
    {"user_id":"odd","username":"odd","display_name":"","_version":"soon"},
    ${good("stays")}
  ]`;
  const resync = await operate("resync", "sfs");
  expect(resync.code).toBe(1);
  expect(resync.stdout).toContain("removed 1, unfit 9, failed 0");
  expect(await users()).toEqual([
    "bad: name of bad",
    "new: name of new",
    "stays: name of stays",
    "twice: second",
  ]);

  const status = await operate("status");
  expect(status.code).toBe(1);
  expect(status.stdout).toContain("the last snapshot of sfs_auth_user could not take 9 rows of its source");
  expect(status.stdout).toMatch(
    /bad \(not JSON: .*\); nul \(username is "a\\u0000b".*\); number \(.*; and 4 more/,
  );
  const json = JSON.parse((await operate("status", "--json")).stdout);
  const { snapshot } = json.services
    .flatMap(({ consumers }: { consumers: readonly { durable: string }[] }) => consumers)
    .find(({ durable }: { durable: string }) => durable === "sfs_auth_user");
  expect(snapshot.unfitRows.map(({ id }: { id: string | null }) => id)).toEqual(
    expect.arrayContaining(["bad", "nul", "number", "clash", "twice", "odd", null]),
  );
  const health = await (await fetch(`${mesh.services.sfs.url}/readyz`)).json();
  expect(health).toMatchObject({ status: "ready" });

  const verify = await operate("verify", "sfs");
  expect(verify.code).toBe(1);
  for (const name of ["bad", "nul", "number", "element 5", "element 6", "element 7", "odd", "twice"])
    expect(verify.stdout).toContain(`unfit     ${name}: `);
  expect(verify.stdout).toContain("missing   clash");

  body = `[${["bad", "stays"].map(good).join()}]`;
  expect((await operate("resync", "sfs")).code).toBe(0);
  expect((await operate("verify", "sfs")).code).toBe(0);
  expect(await users()).toEqual(["bad: name of bad", "stays: name of stays"]);
}, 120_000);
