import { expect, test } from "vitest";
import { planSecrets } from "../../../generator/cli/deploy/plan-secrets.js";
import type { DeployTarget } from "../../../generator/deploy/deploy-targets.js";
import { hostLabel, planDeployment } from "../../../generator/deploy/deployment.js";
import { firstSteps, releaseStep, restartSteps } from "../../../generator/deploy/next-steps.js";
import type { OutputFolder } from "../../../generator/emit/file.js";
import { compile, readMesh } from "../../support/compile.js";

/* What mesh deploy says to do next, and who starts anew when a secret has changed. */

const deployment = planDeployment(compile(readMesh()));
const LIST = "secrets/production.env";

/** A folder in memory, as a run of mesh deploy leaves it. */
function deployedFolder(target: DeployTarget) {
  const files = new Map<string, string>();
  const folder = { read: (path: string) => files.get(path) } as OutputFolder;
  const run = () => {
    const planned = planSecrets(deployment, { folder, target, environment: "production" });
    for (const { path, text } of planned.write) files.set(path, text);
    return planned;
  };
  const edit = (change: (text: string) => string) => files.set(LIST, change(files.get(LIST) ?? ""));
  return { run, edit };
}

test("the first run changes nobody's secret, and a second run nothing", () => {
  const { run } = deployedFolder("compose");
  expect(run()).toMatchObject({ isPresent: false, changed: [] });
  expect(run()).toMatchObject({ isPresent: true, changed: [], write: [], added: [] });
});

test("a rotated key is told of to caller and callee, a broker's password to the server too", () => {
  const { run, edit } = deployedFolder("kubernetes");
  run();
  edit((text) => text.replace(/^SFS_TO_AUTH_KEY=(.*)$/m, "SFS_TO_AUTH_KEY=new,$1"));
  expect(run().changed).toEqual(["service-auth", "service-sfs"]);
  edit((text) => text.replace(/^SFS_NATS_PASSWORD=.*$/m, "SFS_NATS_PASSWORD=new"));
  const { changed } = run();
  expect(changed).toEqual(["service-sfs", "server-nats"]);
  const placed = { target: "kubernetes", environment: "production", out: "deploy" } as const;
  expect(restartSteps(deployment, placed, changed).join("\n")).toMatch(
    /secrets of sfs, nats have changed[\s\S]*kubectl rollout restart statefulset nats --namespace edd-cloud/,
  );
  expect(restartSteps(deployment, placed, ["service-sfs"]).join("\n")).not.toContain("statefulset");
});

test("a port of PostgreSQL that policies refuse is told of", () => {
  const { run, edit } = deployedFolder("kubernetes");
  run();
  edit((text) => text.replace(/^POSTGRES_ADDRESS=$/m, "POSTGRES_ADDRESS=db:6432?sslmode=require"));
  expect(run()).toMatchObject({ empty: [], otherPort: "6432" });
  edit((text) => text.replace(":6432", ""));
  expect(run().otherPort).toBeUndefined();
});

test("the first steps lead from an empty cluster to services, a release deletes jobs and applies, another environment is named", () => {
  const placed = { target: "kubernetes", environment: "staging", out: "deploy" } as const;
  const steps = firstSteps(deployment, placed);
  const order = ["docker build", "kustomization.yaml", "create namespace", "apply -k", "helm install nats"];
  const places = order.map((word) => steps.findIndex((step) => step.includes(word)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(releaseStep(deployment, placed)).toBe(
    "kubectl delete jobs --selector app.kubernetes.io/part-of=edd-cloud --namespace edd-cloud && kubectl apply -k deploy/kubernetes/overlays/staging",
  );
  expect(releaseStep(deployment, { ...placed, target: "compose" })).toMatch(
    /^MESH_ENV=staging docker compose/,
  );
});

test("a name longer than DNS allows is cut, and two of them stay two", () => {
  const long = (end: string) => hostLabel(`${"a_".repeat(40)}${end}`);
  expect(long("x")).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  expect(long("x")).not.toBe(long("y"));
  expect(hostLabel("edd-cloud-")).toBe("edd-cloud");
});
