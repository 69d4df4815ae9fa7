import { expect, test } from "vitest";
import { compile, readMesh } from "../../support/compile.js";
import { composeOf, objectsOf } from "../../support/deployed.js";
import type { AnyObject } from "../../support/kubernetes-objects.js";

/* Who may reach whom is what mesh.yaml says, and no more; who starts behind whom too. */

const reference = compile(readMesh());
const scenario = (name: string) => compile(readMesh(`test/scenarios/emit/${name}/mesh.yaml`));

interface Rule {
  readonly ports: readonly { readonly port?: number }[];
}

interface Peer {
  readonly podSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly namespaceSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

/** `compute -> auth:8081`, of the pods that a policy of this name selects. */
function edges(objects: readonly AnyObject[], name: string): readonly string[] {
  const policy = objects.find(({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === name);
  const spec = policy?.spec as
    | {
        readonly podSelector: Required<Peer>["podSelector"];
        readonly ingress?: readonly (Rule & { readonly from: readonly Peer[] })[];
        readonly egress?: readonly (Rule & { readonly to?: readonly Peer[] })[];
      }
    | undefined;
  if (spec === undefined) throw new Error(`there is no policy ${name}`);
  const called = ({ podSelector, namespaceSelector }: Peer) =>
    Object.values(podSelector?.matchLabels ?? namespaceSelector?.matchLabels ?? {})[0] ?? "*";
  const self = called(spec);
  const ports = (rule: Rule) => rule.ports.map(({ port }) => port ?? "*").join();
  return [
    ...(spec.ingress ?? []).flatMap((rule) =>
      rule.from.map((peer) => `${called(peer)} -> ${self}:${ports(rule)}`),
    ),
    ...(spec.egress ?? []).flatMap((rule) =>
      (rule.to ?? [{}]).map((peer) => `${self} -> ${called(peer)}:${ports(rule)}`),
    ),
  ];
}

test("network policies let a service reach what it calls, its database and the broker, and be reached by its callers", () => {
  const objects = objectsOf(reference);
  expect(edges(objects, "auth")).toEqual([
    "compute -> auth:8081",
    "sfs -> auth:8081",
    "mesh -> auth:8081",
    "auth -> *:5432",
    "auth -> nats:4222",
  ]);
  expect(edges(objects, "gateway")).toEqual([
    "mesh -> gateway:8084",
    "gateway -> *:5432",
    "gateway -> nats:4222",
    "gateway -> compute:8083",
  ]);
  expect(edges(objects, "job-migrate")).toEqual(["migrate -> *:5432"]);
  expect(edges(objects, "job-provision")).toEqual(["provision -> nats:4222"]);
  expect(edges(objects, "database-sfs-db")).toEqual(
    ["sfs", "migrate", "roles", "mesh"].map((name) => `${name} -> sfs_db:5432`),
  );
  expect(edges(objects, "broker")).toEqual([
    ...["auth", "compute", "gateway", "sfs", "provision", "mesh"].map((name) => `${name} -> nats:4222`),
    "nats -> nats:6222",
  ]);
  expect(edges(objects, "broker-keda")).toEqual(["keda-operator -> nats:8222"]);
  expect(edges(objects, "broker-nack")).toEqual(["nack -> nats:4222"]);
  expect(edges(objects, "monitoring")).toEqual(
    ["8081,8083,8084,8082"].map((ports) => `prometheus -> edd-cloud:${ports}`),
  );
  expect(edges(objects, "job-roles")).toEqual(["roles -> *:5432"]);
  const denied = objects.find(({ metadata }) => metadata.name === "default-deny");
  expect(denied?.spec).toMatchObject({ ingress: [], policyTypes: ["Ingress", "Egress"] });
});

test("operators have a pod of their own, which none runs of, and it reaches what mesh status asks", () => {
  const objects = objectsOf(reference);
  expect(edges(objects, "operator")).toEqual([
    "mesh -> *:5432",
    "mesh -> nats:4222",
    "mesh -> auth:8081",
    "mesh -> compute:8083",
    "mesh -> gateway:8084",
    "mesh -> sfs:8082",
  ]);
  const operator = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "mesh");
  expect(operator?.spec).toMatchObject({
    replicas: 0,
    template: { spec: { containers: [{ envFrom: [{ secretRef: { name: "operator" } }] }] } },
  });
});

test("what reaches PostgreSQL has that rule first, under a label by which an overlay narrows all of them down", () => {
  for (const mesh of [reference, scenario("without-database"), scenario("external-owner")])
    for (const { kind, spec, metadata } of objectsOf(mesh)) {
      if (kind !== "NetworkPolicy") continue;
      const { egress = [] } = spec as { readonly egress?: readonly Rule[] };
      const places = egress.flatMap(({ ports }, index) => (ports[0]?.port === 5432 ? [index] : []));
      const isLabelled = metadata.labels?.["meshwright/egress"] === "postgresql";
      expect([metadata.name, places]).toEqual([metadata.name, isLabelled ? [0] : []]);
    }
});

test("a service that calls an external one reaches it wherever it is, and the others do not", () => {
  const mesh = scenario("external-owner");
  const isExternal = (name: string) => mesh.services.find((one) => one.name === name)?.external === true;
  const callers = new Set(mesh.calls.filter(({ callee }) => isExternal(callee)).map(({ caller }) => caller));
  expect(callers.size).toBeGreaterThan(0);
  const objects = objectsOf(mesh);
  for (const { name } of mesh.services.filter(({ external }) => !external))
    expect(edges(objects, name).includes(`${name} -> *:*`)).toBe(callers.has(name));
});

test("a service without a database reaches none, waits for no migration, and a shared database is one", () => {
  const mesh = scenario("without-database");
  const bare =
    mesh.services.find(({ database, external }) => database === undefined && !external)?.name ?? "";
  expect(edges(objectsOf(mesh), bare).filter((edge) => edge.includes("5432"))).toEqual([]);
  const service = composeOf(mesh).services[bare];
  expect(Object.keys(service?.depends_on ?? {})).toEqual(["provision"]);
  expect(service?.environment).not.toHaveProperty("MIGRATE");

  const shared = objectsOf(scenario("shared-database"));
  const policies = shared.filter(({ metadata: { name } }) => name.startsWith("database-"));
  const roots = new Set(scenario("shared-database").databases.map((each) => each.shared?.with ?? each.name));
  expect(policies.length).toBe(roots.size);
});

test("migrating and provisioning come before the services, roles before migrating", () => {
  const { services } = composeOf(reference);
  expect(services.roles?.depends_on).toEqual({ postgres: { condition: "service_healthy" } });
  expect(services.migrate?.depends_on).toEqual({ roles: { condition: "service_completed_successfully" } });
  expect(services.provision?.depends_on).toEqual({ nats: { condition: "service_healthy" } });
  for (const name of ["auth", "compute", "gateway", "sfs"])
    expect(services[name]?.depends_on).toEqual({
      migrate: { condition: "service_completed_successfully" },
      provision: { condition: "service_completed_successfully" },
    });
});

test("as many brokers as streams have replicas; an external owner is not waited for, and gets no container", () => {
  const clustered = readMesh().replace(/^services:/m, "streams: { replicas: 3 }\n\nservices:");
  const { services } = composeOf(compile(clustered));
  expect(Object.keys(services).filter((name) => name.startsWith("nats"))).toEqual([
    "nats-1",
    "nats-2",
    "nats-3",
  ]);
  expect(services.auth?.environment?.NATS_URL).toBe(
    "nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222",
  );
  expect(services.provision?.command).toEqual(["provision", "--replicas", "3"]);

  const external = scenario("external-owner");
  const file = composeOf(external);
  for (const { name, external: isForeign } of external.services)
    expect(Object.keys(file.services).includes(name.replaceAll("_", "-"))).toBe(!isForeign);
});

test("a service that is called as a part of the deployment is keeps its name", () => {
  const named = readMesh("test/scenarios/emit/without-database/mesh.yaml");
  const mesh = compile(named);
  const [first] = mesh.services.filter(({ external }) => !external);
  const renamed = {
    ...mesh,
    services: mesh.services.map((each) => (each === first ? { ...each, name: "migrate" } : each)),
  };
  const { services } = composeOf(renamed);
  expect(services.migrate?.command).toEqual(["dist/generated/migrate/main.js"]);
});

test("KEDA asks the headless service about each durable, and adds one replica a minute to six at most", () => {
  const scaled = objectsOf(reference).filter(({ kind }) => kind === "ScaledObject");
  expect(scaled.map(({ metadata }) => metadata.name)).toEqual(["compute", "gateway", "sfs"]);
  expect(scaled[0]?.spec).toMatchObject({
    minReplicaCount: 2,
    maxReplicaCount: 6,
    advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleUp: { policies: [{ value: 1 }] } } } },
    triggers: [
      {
        metadata: {
          natsServerMonitoringEndpoint: "nats-headless.edd-cloud.svc.cluster.local:8222",
          account: "MESH",
          stream: "AUTH",
          consumer: "compute_auth_user",
        },
      },
    ],
  });
});

test("NACK's streams and consumers are those of plan.json", () => {
  const resources = objectsOf(reference).filter(({ apiVersion }) =>
    apiVersion.startsWith("jetstream.nats.io"),
  );
  expect(resources.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([
    "Account mesh",
    ...["auth", "compute", "gateway", "sfs"].map((name) => `Stream ${name}`),
    ...["compute-auth-user", "gateway-compute-container", "sfs-auth-user"].map((name) => `Consumer ${name}`),
  ]);
  expect(resources[0]?.spec).toMatchObject({
    user: { secret: { name: "job-provision" }, user: "NATS_USER", password: "NATS_PASSWORD" },
  });
  expect(resources[1]?.spec).toMatchObject({
    account: "mesh",
    name: "AUTH",
    subjects: ["auth.user.*.*"],
    maxAge: "604800s",
    duplicateWindow: "120s",
    replicas: 3,
    preventDelete: true,
  });
  expect(resources.at(-1)?.spec).toMatchObject({
    streamName: "AUTH",
    durableName: "sfs_auth_user",
    filterSubject: "auth.user.*.*",
    ackWait: "30s",
    maxDeliver: -1,
  });
});
