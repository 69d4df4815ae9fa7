import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { authService } from "../../generated/auth/service.js";
import { computeService } from "../../generated/compute/service.js";
import { gatewayService } from "../../generated/gateway/service.js";
import { sfsService } from "../../generated/sfs/service.js";
import { compileMesh } from "../../generator/compile.js";
import { makeKeys } from "../../generator/dev/keys.js";
import type { Mesh } from "../../generator/model/mesh.js";
import type { ServiceDefinition } from "../../runtime/definition/service-definition.js";
import { requestResync } from "../../runtime/operate/request-resync.js";
import { readSourceRow } from "../../runtime/operate/source-row.js";
import { readSource } from "../../runtime/resync/snapshot-source.js";
import { type RunningService, startService } from "../../runtime/service/start.js";
import { startAnswering } from "../support/answering-server.js";
import { type RecordingLogger, recordingLogger, silent } from "../support/loggers.js";
import { createDatabase, freePort, startNats, type TestNats, waitFor } from "../support/servers.js";

/*
 * The reference mesh as `mesh dev` gives out its keys, and somebody who has got hold of everything that one service
 * holds: what opens with it?
 */

const OPERATOR = "the key of the operators of this test";
const NAMES = ["auth", "sfs", "compute", "gateway"] as const;
type Name = (typeof NAMES)[number];

const definitions: Readonly<Record<Name, () => ServiceDefinition>> = {
  auth: () => authService(),
  sfs: () => sfsService(),
  compute: () => computeService({ deleteContainerNamespace: async () => undefined }),
  gateway: () => gatewayService(),
};

let mesh: Mesh;
let nats: TestNats;
let recording: RecordingLogger;
const running = new Map<Name, RunningService>();
const environments = new Map<Name, Readonly<Record<string, string>>>();

beforeAll(async () => {
  const text = readFileSync(new URL("../../mesh.yaml", import.meta.url), "utf8");
  const compiled = compileMesh(text, { file: "mesh.yaml" }).mesh;
  if (compiled === undefined) throw new Error("mesh.yaml does not compile");
  mesh = compiled;
  nats = await startNats();
  recording = recordingLogger();
  const ports = new Map<Name, number>();
  for (const name of NAMES) ports.set(name, await freePort());
  const keys = makeKeys(mesh.calls, { operatorKey: OPERATOR, external: new Set() });
  for (const name of NAMES) {
    const own = keys.of(name) as Readonly<Record<string, string>>;
    environments.set(name, own);
    const service = await startService(
      definitions[name](),
      {
        ...own,
        NATS_URL: nats.url,
        [`${name.toUpperCase()}_DB_URL`]: await createDatabase(inject("postgres"), `${name}_db`),
        AUTH_SERVICE_URL: `http://127.0.0.1:${ports.get("auth")}`,
        COMPUTE_SERVICE_URL: `http://127.0.0.1:${ports.get("compute")}`,
        PORT: String(ports.get(name)),
      },
      { logger: recording },
    );
    running.set(name, service);
  }
  for (const service of running.values()) {
    await service.ready;
    await waitFor(
      async () =>
        ((await (await fetch(`${service.url}/readyz`)).json()) as { status: string }).status === "ready",
    );
  }
  const created = await ask("auth", "POST /api/users", OPERATOR, { user_id: "u1", username: "one" });
  expect(created).toBe(201);
});

afterAll(async () => {
  await Promise.all([...running.values()].map((service) => service.stop()));
  await nats?.remove();
});

function url(name: Name): string {
  return running.get(name)?.url ?? "";
}

async function send(name: Name, request: string, authorization?: string, body?: object): Promise<Response> {
  const [method = "GET", path = "/"] = request.split(" ");
  return await fetch(url(name) + path, {
    method,
    redirect: "manual",
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function ask(name: Name, request: string, key?: string, body?: object): Promise<number> {
  const response = await send(name, request, key === undefined ? undefined : `Bearer ${key}`, body);
  await response.arrayBuffer();
  return response.status;
}

const keyOf = (caller: Name, variable: string) => environments.get(caller)?.[variable] ?? "";

interface Probe {
  readonly request: string;
  readonly body?: object;
  /** The grants that the sync of SFS and Compute needs, and what any key opens. */
  readonly isSync?: true;
}

const PROBES: readonly Probe[] = [
  { request: "GET /api/users", isSync: true },
  { request: "HEAD /api/users", isSync: true },
  { request: "GET /api/users/u1", isSync: true },
  { request: "HEAD /api/users/u1", isSync: true },
  { request: "OPTIONS /api/users", isSync: true },
  { request: "OPTIONS /api/users/u1", isSync: true },
  { request: "GET /openapi.json", isSync: true },
  { request: "POST /api/users", body: { username: "two" } },
  { request: "PATCH /api/users/u1", body: { display_name: "changed" } },
  { request: "DELETE /api/users/nobody" },
  { request: "PUT /api/users/u1", body: {} },
  { request: "DELETE /api/users" },
  { request: "POST /operate/resync" },
  { request: "GET /operate" },
  { request: "GET /nothing" },
  { request: "POST /healthz" },
];

test.each(PROBES)(
  "$request: nobody without a key, a caller as its sync needs it, an operator",
  async ({ request, body, isSync }) => {
    expect(await ask("auth", request, undefined, body)).toBe(401);
    expect(await ask("auth", request, "something else", body)).toBe(401);
    expect(await ask("auth", request, keyOf("gateway", "GATEWAY_TO_COMPUTE_KEY"), body)).toBe(401);
    for (const caller of ["sfs", "compute"] as const) {
      const status = await ask("auth", request, keyOf(caller, `${caller.toUpperCase()}_TO_AUTH_KEY`), body);
      if (isSync) expect(status).toBeLessThan(300);
      else expect(status).toBe(403);
    }
    expect([401, 403]).not.toContain(await ask("auth", request, OPERATOR, body));
  },
);

test("a refusal says what is missing where", async () => {
  const key = `Bearer ${keyOf("sfs", "SFS_TO_AUTH_KEY")}`;
  const response = await send("auth", "DELETE /api/users/u1", key);
  expect(response.status).toBe(403);
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  expect(await response.json()).toMatchObject({
    type: "urn:meshwright:problem:forbidden",
    detail:
      '"sfs" may get /api/users, and nothing else here. In mesh.yaml, "calls: { auth: { /api/users: [delete] } }" under "sfs" grants it.',
  });
  const operate = (await (await send("auth", "POST /operate/resync", key)).json()) as { detail: string };
  expect(operate.detail).toBe('"sfs" may not come here: it takes the OPERATOR_KEY.');
});

test("with all keys of one service a caller may do what that service may, and nothing else", async () => {
  const opened: string[] = [];
  for (const thief of NAMES) {
    for (const [variable, value] of Object.entries(environments.get(thief) ?? {})) {
      for (const callee of NAMES) {
        const resources = mesh.services.find(({ name }) => name === callee)?.http?.resources ?? [];
        for (const { path } of resources) {
          for (const [verb, request] of [
            ["get", `GET ${path}`],
            ["post", `POST ${path}`],
            ["patch", `PATCH ${path}/nobody`],
            ["delete", `DELETE ${path}/nobody`],
          ] as const) {
            const status = await ask(
              callee,
              request,
              value,
              verb === "post" || verb === "patch" ? {} : undefined,
            );
            if (status !== 401 && status !== 403)
              opened.push(`${thief}: ${variable} opens ${verb} ${path} of ${callee}`);
          }
        }
        expect([401, 403]).toContain(await ask(callee, "POST /operate/resync", value));
      }
    }
  }
  expect(opened.sort()).toEqual([
    "compute: COMPUTE_TO_AUTH_KEY opens get /api/users of auth",
    "gateway: GATEWAY_TO_COMPUTE_KEY opens get /api/containers of compute",
    "sfs: SFS_TO_AUTH_KEY opens get /api/users of auth",
  ]);
});

test("no service is given another's key, nor what it inherits", () => {
  const given = NAMES.map((name) => [name, Object.keys(environments.get(name) ?? {}).sort()]);
  expect(Object.fromEntries(given)).toEqual({
    auth: ["COMPUTE_TO_AUTH_KEY", "OPERATOR_KEY", "SFS_TO_AUTH_KEY"],
    sfs: ["OPERATOR_KEY", "SFS_TO_AUTH_KEY"],
    compute: ["COMPUTE_TO_AUTH_KEY", "GATEWAY_TO_COMPUTE_KEY", "OPERATOR_KEY"],
    gateway: ["GATEWAY_TO_COMPUTE_KEY", "OPERATOR_KEY"],
  });
  expect(JSON.stringify([...environments.values()])).not.toContain(OPERATOR);
});

test.each([
  "/api/users/../../operate/resync",
  "/api/users/%2e%2e/%2e%2e/operate/resync",
  "/api/users/..%2f..%2foperate%2fresync",
  "/api/users%2f..%2f..%2foperate%2fresync",
  "//operate/resync",
  "/operate/resync/",
  "/operate%2fresync",
  "/OPERATE/RESYNC",
  "/operate/resync;/api/users",
  "/operate/resync?/api/users",
  "/api/users?x=/operate/resync",
  "http://localhost/operate/resync",
])("no spelling of a path goes around what a key opens: %s", async (path) => {
  const { port } = new URL(url("auth"));
  const key = keyOf("sfs", "SFS_TO_AUTH_KEY");
  for (const method of ["POST", "DELETE", "PATCH"]) {
    const { request } = await import("node:http");
    const status = await new Promise<number>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${key}`,
        "x-http-method-override": method,
        "x-original-url": path,
      };
      request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .once("error", reject)
        .end();
    });
    expect([400, 403]).toContain(status);
  }
});

test("what is no `Bearer <key>`, or only nearly one, opens nothing", async () => {
  const key = keyOf("sfs", "SFS_TO_AUTH_KEY");
  const { OPERATOR_KEY = "" } = environments.get("auth") ?? {};
  expect(OPERATOR_KEY).toMatch(/^sha256:/);
  for (const authorization of [
    key,
    `Basic ${Buffer.from(`:${key}`).toString("base64")}`,
    `Bearer ${key.slice(0, -1)}`,
    `Bearer ${key}x`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer ${key},${key}`,
    `Bearer ${OPERATOR_KEY}`,
    `Bearer ${OPERATOR_KEY.slice("sha256:".length)}`,
    "Bearer",
    "Bearer  ",
    "Bearer undefined",
    "Bearer ,",
  ])
    expect((await send("auth", "GET /api/users", authorization)).status, authorization).toBe(401);
  expect((await send("auth", "GET /api/users", `bearer   ${key}`)).status).toBe(200);
});

test("a header made to be slow to read is not", async () => {
  const evil = `Bearer a${" ".repeat(15_000)}b`;
  const started = performance.now();
  for (let round = 0; round < 10; round += 1)
    expect((await send("auth", "GET /api/users", evil)).status).toBe(401);
  expect(performance.now() - started).toBeLessThan(1_500);
});

test("no key was logged, whoever showed which", () => {
  const lines = JSON.stringify(recording.lines);
  expect(lines).toContain("/api/users");
  for (const key of [OPERATOR, keyOf("sfs", "SFS_TO_AUTH_KEY"), keyOf("gateway", "GATEWAY_TO_COMPUTE_KEY")])
    expect(lines.includes(key)).toBe(false);
  expect(lines).not.toContain("Bearer");
});

test("a resync of a running service heals with its own key", async () => {
  const [result] = await requestResync({ url: url("sfs"), operatorKey: OPERATOR });
  expect(result).toMatchObject({ durable: "sfs_auth_user", report: { rows: expect.any(Number) } });
});

const sync = {
  urlVariable: "AUTH_SERVICE_URL",
  keyVariable: "SFS_TO_AUTH_KEY",
  path: "/api/users",
  header: "authorization",
  everySeconds: 0,
};

test("two keys are valid at once, the first is shown, and a third one waits for its turn", async () => {
  const env = {
    NATS_URL: nats.url,
    AUTH_DB_URL: await createDatabase(inject("postgres"), "auth_db"),
    OPERATOR_KEY: "an operator's new key, an operator's old key".replaceAll("'", ""),
    SFS_TO_AUTH_KEY: "the new key of sfs,the old key of sfs",
    COMPUTE_TO_AUTH_KEY: "the key of compute",
    PORT: "0",
  };
  await expect(startService(authService(), { ...env, SFS_TO_AUTH_KEY: "a,b,c" })).rejects.toThrow(
    "two are valid at once",
  );
  const auth = await startService(authService(), env, { logger: silent });
  try {
    await auth.ready;
    const status = async (key: string) =>
      (await fetch(`${auth.url}/api/users`, { headers: { authorization: `Bearer ${key}` } })).status;
    for (const key of [
      "the new key of sfs",
      "the old key of sfs",
      "an operators new key",
      "an operators old key",
    ])
      expect(await status(key), key).toBe(200);
    expect(await status(env.SFS_TO_AUTH_KEY)).toBe(401);
    const reading = { AUTH_SERVICE_URL: auth.url, SFS_TO_AUTH_KEY: env.SFS_TO_AUTH_KEY };
    const parts: Uint8Array[] = [];
    const { signal } = new AbortController();
    for await (const part of readSource({ sync, env: reading, signal })) parts.push(part);
    expect(Buffer.concat(parts).toString().trim()).toBe("[]");
  } finally {
    await auth.stop();
  }
});

test("beside a release with one key for all, each pair is given that key, and opens no more than is its own", async () => {
  const one = "the one key of the former release";
  const env = {
    NATS_URL: nats.url,
    COMPUTE_DB_URL: await createDatabase(inject("postgres"), "compute_db"),
    AUTH_SERVICE_URL: url("auth"),
    OPERATOR_KEY: "a new key of the operators",
    COMPUTE_TO_AUTH_KEY: one,
    GATEWAY_TO_COMPUTE_KEY: one,
    PORT: "0",
  };
  const compute = await startService(definitions.compute(), env, { logger: silent });
  try {
    await compute.ready;
    const status = async (path: string, method = "GET") =>
      (await fetch(compute.url + path, { method, headers: { authorization: `Bearer ${one}` } })).status;
    expect(await status("/api/containers")).toBe(200);
    expect(await status("/api/ssh-keys")).toBe(403);
    expect(await status("/api/containers/x", "DELETE")).toBe(403);
    expect(await status("/operate/resync", "POST")).toBe(403);
  } finally {
    await compute.stop();
  }
});

test("a key is sent only to its service, not to a redirect's target; an endless refusal is not read", async () => {
  const seen: string[] = [];
  const thief = await startAnswering((request, response) => {
    seen.push(request.headers.authorization ?? "");
    response.end("[]");
  });
  let status = 302;
  const source = await startAnswering((_request, response) => {
    response.writeHead(status, { location: `${thief.url}/api/users` });
    if (status < 400) response.end();
    else {
      const more = () => {
        while (!response.destroyed && response.write("no ".repeat(10_000)));
      };
      response.on("drain", more);
      more();
    }
  });
  const env = { AUTH_SERVICE_URL: source.url, SFS_TO_AUTH_KEY: "a key that nobody else is to have" };
  const { signal } = new AbortController();
  const list = () => readSource({ sync, env, signal }).next();
  const row = () => readSourceRow({ sync, env, signal, members: new Set() }, "u1");
  const operate = () => requestResync({ url: source.url, operatorKey: OPERATOR });
  for (status of [301, 302, 303, 307, 308])
    for (const call of [list, row, operate])
      await expect(call()).rejects.toThrow(`answered ${status}: a redirect, which is not followed`);
  expect(seen).toEqual([]);
  status = 500;
  for (const call of [list, row, operate]) await expect(call()).rejects.toThrow("answered 500: no no no");
  await thief.close();
  await source.close();
});
