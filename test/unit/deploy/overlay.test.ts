import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { secretFiles } from "../../../generator/deploy/deploy-files.js";
import { planDeployment } from "../../../generator/deploy/deployment.js";
import { compile, readMesh } from "../../support/compile.js";
import { deployed, switchedOn } from "../../support/deployed.js";
import { type AnyObject, objectMistakes } from "../../support/kubernetes-objects.js";

/* The kustomization of an environment, built by kubectl: as people get it, and with all of its examples switched on. */

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "mesh-overlay-"));
afterAll(() => rmSync(folder, { recursive: true }));

const mesh = compile(readMesh());
const hooks = new Map([["compute", ["KUBECONFIG"]]]);
const files = deployed(mesh, "kubernetes", { hooks });
const secrets = secretFiles(
  planDeployment(mesh, hooks),
  { METRICS_KEY: "open" },
  {
    target: "kubernetes",
    environment: "production",
  },
);
const OVERLAY = "kubernetes/overlays/production";

/** `edit`: what a person makes of the kustomization. */
function build(name: string, edit: (kustomization: string) => string): readonly AnyObject[] {
  const texts = { ...files, ...Object.fromEntries(secrets.map(({ path, text }) => [path, text])) };
  for (const [path, text] of Object.entries(texts)) {
    const at = join(folder, name, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, path === `${OVERLAY}/kustomization.yaml` ? edit(text) : text);
  }
  const built = execFileSync("kubectl", ["kustomize", join(folder, name, OVERLAY)], { encoding: "utf8" });
  return parseAllDocuments(built).map((document) => document.toJS() as AnyObject);
}

/** With a secret's digest, which kustomize puts behind its name. */
const withDigest = (name: string) => new RegExp(`^${name}-[a-z0-9]{10}$`);

function secretsRead(objects: readonly AnyObject[]): readonly string[] {
  return [...JSON.stringify(objects).matchAll(/"secretRef":\{"name":"([^"]+)"/g)].map(
    ([, name = ""]) => name,
  );
}

test.skipIf(!hasKubectl)(
  "an overlay builds as it is written, and each pod finds its secret under its digest",
  () => {
    const objects = build("plain", (text) => text);
    expect(objects.flatMap(objectMistakes)).toEqual([]);
    const made = objects.filter(({ kind }) => kind === "Secret").map(({ metadata }) => metadata.name);
    for (const name of secretsRead(objects)) expect(made).toContain(name);
    expect(made).toContainEqual(expect.stringMatching(withDigest("service-auth")));
    expect(made).toContain("server-nats");
    expect(objects.map(({ kind }) => kind)).not.toContain("Ingress");
  },
);

test.skipIf(!hasKubectl)(
  "with all that an overlay offers switched on it builds too, and every example has its effect",
  () => {
    const objects = build("all", switchedOn);
    expect(objects.flatMap(objectMistakes)).toEqual([]);
    const find = (kind: string, name: string) => {
      const object = objects.find((each) => each.kind === kind && each.metadata.name === name);
      if (object === undefined) throw new Error(`there is no ${kind} ${name}`);
      return object.spec as never;
    };
    const made = objects.filter(({ kind }) => kind === "Secret").map(({ metadata }) => metadata.name);
    for (const name of secretsRead(objects)) expect(made).toContain(name);
    expect(made).toContainEqual(expect.stringMatching(withDigest("job-roles")));
    // In NACK's place of "provision", which is gone.
    expect(objects.filter(({ kind }) => kind === "Job").map(({ metadata }) => metadata.name)).toEqual([
      "migrate",
      "roles",
    ]);
    const config = objects.find(({ kind }) => kind === "ConfigMap") as unknown as {
      readonly metadata: { readonly name: string };
      readonly data: object;
    };
    expect(Object.keys(config.data)).toEqual(["roles.sh", "roles.sql"]);
    expect(find("Job", "roles")).toMatchObject({
      template: {
        spec: {
          volumes: expect.arrayContaining([{ name: "config", configMap: { name: config.metadata.name } }]),
        },
      },
    });
    // In custom resources too.
    expect(find("Account", "mesh")).toMatchObject({
      user: { secret: { name: expect.stringMatching(withDigest("job-provision")) } },
    });
    expect(find("ServiceMonitor", "edd-cloud")).toMatchObject({
      endpoints: [
        { authorization: { credentials: { name: expect.stringMatching(withDigest("reader-metrics")) } } },
      ],
    });
    expect(find("Deployment", "compute")).toMatchObject({
      template: {
        spec: {
          automountServiceAccountToken: true,
          containers: [{ env: expect.arrayContaining([{ name: "NATS_CA", value: "/etc/mesh-ca/ca.crt" }]) }],
        },
      },
    });
    for (const name of ["auth", "compute", "gateway", "sfs", "job-migrate", "job-roles", "operator"])
      expect(find("NetworkPolicy", name)).toMatchObject({
        egress: expect.arrayContaining([
          { to: [{ ipBlock: { cidr: "10.0.0.10/32" } }], ports: [{ protocol: "TCP", port: 6432 }] },
        ]),
      });
    expect(objects.find(({ kind }) => kind === "ClusterRoleBinding")).toMatchObject({
      subjects: [{ name: "compute", namespace: "edd-cloud" }],
    });
  },
);

test.skipIf(!hasKubectl)("in another namespace KEDA asks there", () => {
  const objects = build("elsewhere", (text) =>
    text
      .replace("namespace: edd-cloud", "namespace: elsewhere")
      .replace("#components:", "components:\n  - ../../components/keda"),
  );
  expect(objects.find(({ kind }) => kind === "ScaledObject")?.spec).toMatchObject({
    triggers: [
      { metadata: { natsServerMonitoringEndpoint: "nats-headless.elsewhere.svc.cluster.local:8222" } },
    ],
  });
});

test("a service with hooks has a file of what they reach and may do, which names what they read", () => {
  const text = files[`${OVERLAY}/hooks-compute.yaml`] ?? "";
  expect(text).toContain("CONTAINER_CLUSTER, KUBECONFIG");
  const kinds = parseAllDocuments(text).map((document) => (document.toJS() as AnyObject).kind);
  expect(kinds).toEqual(["NetworkPolicy", "ClusterRole", "ClusterRoleBinding"]);
  expect(Object.keys(deployed(mesh, "kubernetes")).filter((path) => path.includes("hooks-"))).toEqual([]);
});

test("Prometheus has the rules of generated/monitoring/alerts.yml", () => {
  const rule = parseAllDocuments(files["kubernetes/components/monitoring/monitors.yaml"] ?? "")
    .map((document) => document.toJS() as AnyObject)
    .find(({ kind }) => kind === "PrometheusRule");
  expect(rule?.spec).toEqual(parse(readMesh("generated/monitoring/alerts.yml")));
});
