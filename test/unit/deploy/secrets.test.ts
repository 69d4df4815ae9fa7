import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { refuseForeign } from "../../../generator/cli/commands/deploy.js";
import { planDeployment } from "../../../generator/deploy/deployment.js";
import { completeSecretList, composeEnv, readSecretList } from "../../../generator/deploy/secret-list.js";
import { envFilesOf, type Secrets, wantedSecrets } from "../../../generator/deploy/secret-values.js";
import { compile, readMesh } from "../../support/compile.js";
import { composeOf, deployed } from "../../support/deployed.js";

const reference = planDeployment(compile(readMesh()));
const scenario = (name: string) => planDeployment(compile(readMesh(`test/scenarios/emit/${name}/mesh.yaml`)));
const sha256 = (key: string) => `sha256:${createHash("sha256").update(key).digest("hex")}`;

let made = 0;
const options = {
  mesh: "edd-cloud",
  environment: "production",
  make: () => `made${++made}`,
};

test("a secret that is there is never overwritten: what is missing comes behind it, and nothing twice", () => {
  const wanted = wantedSecrets(reference, "compose");
  const first = completeSecretList(undefined, wanted, options);
  expect(first.added).toEqual(wanted.filter(({ from }) => from === "made").map(({ name }) => name));
  expect(first.empty).toEqual([]);
  const again = completeSecretList(first.text, wanted, options);
  expect(again).toEqual({ text: first.text, added: [], empty: [], offered: [] });

  const rotated = first.text
    .replace(/^OPERATOR_KEY=.*$/m, "OPERATOR_KEY=new$#' \\,old")
    .replace(/^SFS_TO_AUTH_KEY=.*\n/m, "");
  const after = completeSecretList(rotated, wanted, options);
  expect(after.text.startsWith(rotated)).toBe(true);
  expect(after.added).toEqual(["SFS_TO_AUTH_KEY"]);
  expect(readSecretList(after.text).OPERATOR_KEY).toBe("new$#' \\,old");
});

test("both targets in one folder: a variable that one offers and the other asks for has one line", () => {
  const complete = (present: string | undefined, target: "compose" | "kubernetes") =>
    completeSecretList(present, wantedSecrets(reference, target), options).text;
  const both = complete(complete(undefined, "compose"), "kubernetes");
  expect(both.match(/POSTGRES_ADDRESS=/g)).toHaveLength(1);
  expect(both).toMatch(/^POSTGRES_ADDRESS=$/m);
  expect(complete(both, "compose")).toBe(both);
  expect(complete("#POSTGRES_ADDRESS=\nPOSTGRES_ADDRESS=db:1\n", "kubernetes")).toMatch(
    /^#POSTGRES_ADDRESS=\nPOSTGRES_ADDRESS=db:1\n/,
  );
});

test("each process gets its own, and of keys that it only knows others by their digests, two while one replaces the other", () => {
  const { text } = completeSecretList(undefined, wantedSecrets(reference, "compose"), options);
  const secrets: Secrets = { ...readSecretList(text), SFS_TO_AUTH_KEY: "new,old", METRICS_KEY: "open" };
  const files = envFilesOf(reference, secrets, "compose");
  expect(files["service-auth"]).toEqual({
    AUTH_DB_URL: `postgres://auth_service:${secrets.AUTH_SERVICE_PASSWORD}@postgres:5432/auth_db`,
    OPERATOR_KEY: sha256(secrets.OPERATOR_KEY ?? ""),
    COMPUTE_TO_AUTH_KEY: sha256(secrets.COMPUTE_TO_AUTH_KEY ?? ""),
    SFS_TO_AUTH_KEY: `${sha256("new")},${sha256("old")}`,
    METRICS_KEY: "open",
    NATS_USER: "auth",
    NATS_PASSWORD: secrets.AUTH_NATS_PASSWORD,
  });
  expect(files["service-sfs"]?.SFS_TO_AUTH_KEY).toBe("new,old");
  const rotating = envFilesOf(reference, { ...secrets, METRICS_KEY: "new,old" }, "kubernetes");
  expect(rotating["reader-metrics"]).toEqual({ METRICS_KEY: "new" });
  expect(rotating["service-auth"]?.METRICS_KEY).toBe(`${sha256("new")},${sha256("old")}`);
  expect(Object.keys(files["job-migrate"] ?? {})).toEqual(
    ["AUTH", "COMPUTE", "GATEWAY", "SFS"].map((name) => `${name}_DB_OWNER_URL`),
  );
  expect(files["job-provision"]).toEqual({
    NATS_USER: "mesh_operator",
    NATS_PASSWORD: secrets.MESH_OPERATOR_NATS_PASSWORD,
  });
});

test("a database elsewhere is a line of the list, and one password may hold anything", () => {
  const secrets = {
    AUTH_DB_URL: "postgres://me@elsewhere/auth",
    SFS_SERVICE_PASSWORD: "a@b/c:%",
    POSTGRES_ADDRESS: "db:1",
  };
  const files = envFilesOf(reference, secrets, "compose");
  expect(files["service-auth"]?.AUTH_DB_URL).toBe("postgres://me@elsewhere/auth");
  expect(files["service-sfs"]?.SFS_DB_URL).toBe("postgres://sfs_service:a%40b%2Fc%3A%25@db:1/sfs_db");
});

test("a cluster has to be told where PostgreSQL is, and what is said there of TLS is in every URL; compose has a server of its own", () => {
  const asked = (target: "compose" | "kubernetes", given = "") =>
    completeSecretList(given, wantedSecrets(reference, target), options).empty;
  expect(asked("kubernetes")).toEqual(["POSTGRES_ADDRESS"]);
  expect(asked("kubernetes", "POSTGRES_ADDRESS=db:5432\n")).toEqual([]);
  expect(asked("compose")).toEqual([]);

  const password = { AUTH_SERVICE_PASSWORD: "secret", POSTGRES_PASSWORD: "admin" };
  const url = (target: "compose" | "kubernetes", address?: string) =>
    envFilesOf(reference, { ...password, ...(address && { POSTGRES_ADDRESS: address }) }, target)[
      "service-auth"
    ]?.AUTH_DB_URL;
  expect(url("kubernetes")).toBeUndefined();
  expect(url("compose")).toBe("postgres://auth_service:secret@postgres:5432/auth_db");
  expect(url("kubernetes", "db.internal")).toBe("postgres://auth_service:secret@db.internal:5432/auth_db");
  const address = "[::1]:6432?sslmode=verify-full&sslrootcert=/ca.crt";
  expect(url("kubernetes", address)).toBe(
    "postgres://auth_service:secret@[::1]:6432/auth_db?sslmode=verify-full&sslrootcert=/ca.crt",
  );
  const files = envFilesOf(reference, { ...password, POSTGRES_ADDRESS: address }, "kubernetes");
  expect(files["job-roles"]).toMatchObject({
    PGHOST: "[::1]",
    PGPORT: "6432",
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: "/ca.crt",
    PGPASSWORD: "admin",
  });
  expect(Object.keys(files)).not.toContain("server-postgres");
});

test("an existing database is not made: people give its URLs, and there is no server for it alone", () => {
  const existing = scenario("existing-tables");
  const asked = completeSecretList(undefined, wantedSecrets(existing, "compose"), options).empty;
  const { database } = existing.databases.find((each) => each.existing) ?? {};
  expect(asked).toEqual(expect.arrayContaining([database?.urlVariable, database?.ownerUrlVariable]));
  const { services } = composeOf(existing.mesh);
  expect("postgres" in services).toBe(existing.databases.some((each) => !each.existing));
  const own = existing.databases.filter((each) => !each.existing);
  const roles = deployed(existing.mesh, "compose")["compose/roles.sh"] ?? "";
  expect(roles.match(/^make_database /gm)?.length ?? 0).toBe(own.length);
});

test("the key of an external service, and what a service demands of its own, are asked for", () => {
  const external = scenario("external-owner");
  const called = external.mesh.calls.filter(({ callee }) =>
    external.mesh.services.some((service) => service.name === callee && service.external),
  );
  const { empty } = completeSecretList(undefined, wantedSecrets(external, "compose"), options);
  for (const { keyVariable, urlVariable, optional } of called) {
    expect(empty).toContain(keyVariable);
    if (optional !== true) expect(empty).toContain(urlVariable);
  }
  const own = scenario("calls-and-environment");
  const demanded = own.services.flatMap(({ service }) =>
    service.environment.filter((each) => !each.builtIn && each.required && each.default === undefined),
  );
  const { empty: asked } = completeSecretList(undefined, wantedSecrets(own, "compose"), options);
  expect(asked).toEqual(expect.arrayContaining(demanded.map(({ name }) => name)));
});

test("no secret is in a file that is committed", () => {
  const { text } = completeSecretList(undefined, wantedSecrets(reference, "compose"), options);
  const values = Object.values(readSecretList(text)).filter((value) => value.startsWith("made"));
  expect(values.length).toBeGreaterThan(10);
  for (const target of ["compose", "kubernetes"] as const) {
    const files = deployed(reference.mesh, target);
    expect(files[".gitignore"]).toContain("\nsecrets/\n");
    for (const value of values) expect(JSON.stringify(files)).not.toContain(`${value}"`);
    expect(Object.keys(files).filter((path) => path.includes("secrets/"))).toEqual([]);
  }
});

test("no secret is in an image: keys and environments are left out, and the folder itself wherever it is", () => {
  const ignored = (folder: string) =>
    deployed(reference.mesh, "compose", { folder })["Dockerfile.dockerignore"]?.split("\n") ?? [];
  expect(ignored("deploy")).toEqual(
    expect.arrayContaining(["deploy", "**/.env", "**/.env.*", "**/*.creds", "**/*.nk"]),
  );
  expect(ignored(".")).toEqual(expect.arrayContaining(["secrets", "compose", "kubernetes"]));
  expect(ignored("../deploy")).not.toContain("../deploy");
});

test("a Dockerfile or .gitignore of somebody else's is refused, and what mesh deploy wrote is taken for its own", () => {
  for (const target of ["compose", "kubernetes"] as const) {
    const files = deployed(reference.mesh, target);
    const isPeoples = (path: string) => path.includes("overlays");
    const [theirs, ours] = [true, false].map((wanted) =>
      Object.keys(files).filter((path) => isPeoples(path) === wanted),
    );
    expect(ours).toEqual(expect.arrayContaining(["Dockerfile", "Dockerfile.dockerignore", ".gitignore"]));
    for (const path of ours ?? []) expect(refuseForeign(path, files[path] ?? ""), path).toBeUndefined();
    for (const path of theirs ?? [])
      expect(() => refuseForeign(path, files[path] ?? ""), path).toThrow(`${path} is yours`);
  }
  for (const text of ["FROM mine\n", "node_modules\n.env\n", ""])
    expect(() => refuseForeign("deploy/Dockerfile", text)).toThrow("deploy/Dockerfile is yours");
});

test("Docker's reader of .env files gets values as they are", () => {
  expect(composeEnv({ A: "postgres://a:b@c:1/d?e=f", B: "a$b #c", C: "it's" })).toBe(
    "A='postgres://a:b@c:1/d?e=f'\nB='a$b #c'\nC='it\\'s'\n",
  );
});
