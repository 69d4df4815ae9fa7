import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ContainerRow } from "../../generated/compute/tables.js";
import { createComputeHooks } from "../../hooks/compute.js";
import { type AnsweringServer, startAnswering } from "../support/answering-server.js";
import { recordingLogger } from "../support/loggers.js";

type Answer = readonly [status: number, body: object];
const STATUS = { kind: "Status", apiVersion: "v1", metadata: {} };

/** A Kubernetes API for namespaces: gives the answers in order and repeats the last; without answers it stays silent. */
let api: AnsweringServer;
let seen: string[];
let answers: Answer[];
let folder: string;

beforeEach(async () => {
  seen = [];
  answers = [];
  folder = await mkdtemp(join(tmpdir(), "mesh-kube-"));
  api = await startAnswering((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const [status, body] = (answers.length > 1 ? answers.shift() : answers[0]) ?? [0, {}];
    if (status === 0) return;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
});
afterEach(() => api.close());

async function kubeconfig(): Promise<string> {
  const path = join(folder, "config");
  await writeFile(
    path,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [{ name: "test", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "test", user: { token: "the-token" } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    }),
  );
  return path;
}

const logger = recordingLogger();
const { lines } = logger;

async function startedHooks(env: Readonly<Record<string, string>> = {}) {
  const hooks = createComputeHooks();
  await hooks.start?.({
    env: { CONTAINER_CLUSTER: "kubeconfig", KUBECONFIG: await kubeconfig(), ...env },
    logger,
  });
  return (namespace: string, signal = AbortSignal.timeout(5_000)) =>
    hooks.deleteContainerNamespace({
      row: { container_id: "c1", namespace } as ContainerRow,
      logger,
      signal,
    });
}

const DELETE = "DELETE /api/v1/namespaces/box-1 Bearer the-token";
const GET = "GET /api/v1/namespaces/box-1 Bearer the-token";

test("the namespace of the row is deleted, with the credentials of the kubeconfig", async () => {
  answers = [[200, { ...STATUS, status: "Success" }]];
  await (await startedHooks())("box-1");
  expect(seen).toEqual([DELETE]);
});

test("a namespace that does not exist counts as deleted: the hook is idempotent", async () => {
  answers = [[404, { ...STATUS, code: 404, reason: "NotFound" }]];
  await (await startedHooks())("box-1");
  expect(seen).toEqual([DELETE]);
});

test("a namespace that is being deleted counts as deleted", async () => {
  const terminating = { kind: "Namespace", metadata: { name: "box-1" }, status: { phase: "Terminating" } };
  answers = [
    [409, { ...STATUS, code: 409, reason: "Conflict" }],
    [200, terminating],
  ];
  await (await startedHooks())("box-1");
  expect(seen).toEqual([DELETE, GET]);
});

test("any other conflict throws, for a retry", async () => {
  answers = [
    [409, { ...STATUS, code: 409 }],
    [200, { kind: "Namespace", metadata: { name: "box-1" }, status: { phase: "Active" } }],
  ];
  await expect((await startedHooks())("box-1")).rejects.toThrow("409");
});

test("an error of the cluster throws, and a retry works", async () => {
  answers = [
    [500, { ...STATUS, code: 500 }],
    [200, { ...STATUS, status: "Success" }],
  ];
  const remove = await startedHooks();
  await expect(remove("box-1")).rejects.toThrow("500");
  await remove("box-1");
  expect(seen).toEqual([DELETE, DELETE]);
});

test("a cluster that denies access throws", async () => {
  answers = [[403, { ...STATUS, code: 403 }]];
  await expect((await startedHooks())("box-1")).rejects.toThrow("403");
});

test("a cluster that does not answer is abandoned when the signal aborts", async () => {
  const started = Date.now();
  await expect((await startedHooks())("box-1", AbortSignal.timeout(300))).rejects.toThrow(/abort/i);
  expect(Date.now() - started).toBeLessThan(5_000);
});

test("a cluster that is down throws", async () => {
  const remove = await startedHooks();
  await api.close();
  await expect(remove("box-1")).rejects.toThrow(/ECONNREFUSED/);
});

test.each(["", "Box", "a/b", "../pods", "a".repeat(64), "-a", "a.b", "default", "kube-system"])(
  "%j is no namespace of a container: the cluster is not asked",
  async (namespace) => {
    await expect((await startedHooks())(namespace)).rejects.toThrow("not the namespace of a container");
    expect(seen).toEqual([]);
  },
);

test("CONTAINER_CLUSTER=none deletes nothing and logs it", async () => {
  await (await startedHooks({ CONTAINER_CLUSTER: "none" }))("box-1");
  expect(seen).toEqual([]);
  expect(lines.map(({ message }) => message)).toContain("no cluster: the namespace is taken as deleted");
});

test.each([
  [
    "a kubeconfig that is missing",
    { CONTAINER_CLUSTER: "kubeconfig", KUBECONFIG: "/nowhere" },
    "there is no kubeconfig: no /nowhere",
  ],
  ["no kubeconfig at all", { CONTAINER_CLUSTER: "kubeconfig", HOME: "/nowhere" }, "no /nowhere/.kube/config"],
  ["not being in a cluster", { CONTAINER_CLUSTER: "in-cluster" }, "KUBERNETES_SERVICE_HOST"],
  ["a misspelled choice", { CONTAINER_CLUSTER: "kubconfig" }, "one of none, kubeconfig, in-cluster"],
  ["nothing at all", { HOME: "/nowhere" }, "no Kubernetes cluster is configured"],
])("the start is refused with %s", async (_what, env, message) => {
  await expect(createComputeHooks().start?.({ env, logger })).rejects.toThrow(message);
});

test("without settings it reads the default kubeconfig", async () => {
  const hooks = createComputeHooks();
  await hooks.start?.({ env: { KUBECONFIG: await kubeconfig() }, logger });
  expect(lines.at(-1)?.message).toBe("containers live in this cluster");
});

test("a kubeconfig without a cluster refuses the start", async () => {
  const path = join(folder, "empty");
  await writeFile(
    path,
    JSON.stringify({ apiVersion: "v1", kind: "Config", clusters: [], users: [], contexts: [] }),
  );
  const env = { CONTAINER_CLUSTER: "kubeconfig", KUBECONFIG: path };
  await expect(createComputeHooks().start?.({ env, logger })).rejects.toThrow("no current context");
});
