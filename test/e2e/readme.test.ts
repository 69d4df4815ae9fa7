import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { authService } from "../../generated/auth/service.js";
import { computeService } from "../../generated/compute/service.js";
import { gatewayService } from "../../generated/gateway/service.js";
import { sfsService } from "../../generated/sfs/service.js";
import { computeHooks } from "../../hooks/compute.js";
import { serviceVariables } from "../../runtime/service/config.js";
import { ROOT } from "../support/compile.js";
import { mesh, type RunningDev, startCompiled, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/reference-mesh.js";

/*
 * The README's blocks, run as they stand there, one after the other in a clone. Where a sentence says what
 * comes of it, that is looked for.
 */

// Each step runs several commands, whose starts alone take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
/** Documents that name commands to run. */
const guides = ["README.md", "CONTRIBUTING.md", "docs/guide.md", "docs/production.md"]
  .map((path) => readFileSync(join(ROOT, path), "utf8"))
  .join("\n");

/** The block of code that holds the text. */
function block(language: string, text: string): string {
  const blocks = [...readme.matchAll(/```(\w*)\n([\s\S]*?)```/g)];
  const found = blocks.find(([, tag, code]) => tag === language && code?.includes(text))?.[2];
  if (found === undefined)
    throw new Error(`README.md has no block of ${language || "output"} with "${text}"`);
  return found;
}

const folder = mkdtempSync(join(tmpdir(), "mesh-readme-"));
// As root, PostgreSQL runs under another uid, which must be able to enter the folder.
chmodSync(folder, 0o755);
const at = (path: string) => join(folder, path);
const edit = (path: string, change: (text: string) => string) =>
  writeFileSync(at(path), change(readFileSync(at(path), "utf8")));

let dev: RunningDev | undefined;

beforeAll(async () => {
  for (const name of [
    "mesh.yaml",
    "hooks",
    "generated",
    "package.json",
    "tsconfig.json",
    "tsconfig.base.json",
  ])
    cpSync(join(ROOT, name), at(name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), at("node_modules"));
  dev = await startDev(folder, at(".mesh"));
});

afterAll(async () => {
  await dev?.end();
  rmSync(folder, { recursive: true, force: true });
});

/** As a shell in the clone runs it. Asynchronous: the log of `mesh dev` has to be read meanwhile. */
function shell(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], { cwd: folder });
    let [output, errors] = ["", ""];
    child.stdout.on("data", (text: Buffer) => (output += text));
    child.stderr.on("data", (text: Buffer) => (errors += text));
    child.once("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`${errors}${output}`))));
  });
}

const helper = () => block("sh", "sql() {");
const sql = (database: string, text: string) =>
  shell(`${helper().slice(0, helper().indexOf("\nsql sfs_db"))}\nsql ${database} ${JSON.stringify(text)}`);
const shows = (database: string, query: string, expected: string) =>
  waitFor(async () => (await sql(database, query)).includes(expected), {
    what: `${expected} in ${database}`,
  });

test("every command that the README and the guides name exists", async () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const named = [...guides.matchAll(/(?:`|&& |^)npm (?:run )?([a-z]+)/gm)].map(([, name = ""]) => name);
  const own = ["ci", "install", "init", "pack", "run"];
  expect(named.filter((name) => !own.includes(name) && !(name in scripts))).toEqual([]);
  const help = (await mesh(ROOT, "--help")).stdout;
  const commands = [...guides.matchAll(/`(?:npx )?mesh ([a-z]+)/g)].map(([, name = ""]) => name);
  expect(commands.length).toBeGreaterThan(8);
  expect(commands.filter((name) => !new RegExp(`^  ${name}\\b`, "m").test(help))).toEqual([]);
  expect(await mesh(ROOT, "--version")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

test("a user is registered with curl and looked up in the cache; a row by hand goes the same way", async () => {
  expect(JSON.parse(await shell(block("sh", "/api/users")))).toMatchObject({ username: "johndoe" });
  await shows("sfs_db", "TABLE user_cache", "johndoe");
  await shell(helper());
  const byHand = block("sh", "by-hand");
  await shell(`${helper()}\n${byHand}`);
  await shows("sfs_db", "SELECT username FROM user_cache WHERE user_id = 'by-hand'", "jane");
});

test("the misspelt subject is told of as it is printed there, and nothing is written", async () => {
  const good = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(at("mesh.yaml"), good.replace("subscribes: [auth.user.*]", "subscribes: [auth.usr.*]"));
  const broken = await mesh(folder, "generate");
  writeFileSync(at("mesh.yaml"), good);
  expect(broken).toMatchObject({
    code: 1,
    stderr: `${block("", "unknown-subject")}\n1 error; nothing was written\n`,
  });
  expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
});

test("impact answers as it is printed there", async () => {
  expect(await mesh(folder, "impact", "auth.users.display_name")).toMatchObject({
    code: 0,
    stdout: block("", "services: auth, compute, sfs"),
    stderr: "",
  });
});

test("status, verify, resync and dlq say what they are said to", async () => {
  const status = await mesh(folder, "status");
  expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing waits for a person") });
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "dlq", "list")).toMatchObject({ code: 0 });
  await sql("sfs_db", "DELETE FROM user_cache WHERE user_id = 'by-hand'");
  expect(await mesh(folder, "verify")).toMatchObject({ code: 1, stdout: expect.stringContaining("by-hand") });
  expect(await mesh(folder, "resync", "sfs")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
});

test("status names a copy that goes stale by construction, and does not take it for a finding", async () => {
  const good = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(at("mesh.yaml"), good.replace(/( +)synced_at: .*\n/, "$&$1colour: text?\n"));
  const status = await mesh(folder, "status");
  writeFileSync(at("mesh.yaml"), good);
  expect(status.stdout).toMatch(/mesh\.yaml:\d+:\d+: no event of "auth.user" carries "colour"/);
  expect(status.code).toBe(0);
});

test("a compiled service runs by plain node, from its environment alone", async () => {
  const { endpoints } = dev as RunningDev;
  const service = startCompiled(join(ROOT, "dist/generated/sfs/main.js"), {
    NATS_URL: endpoints.nats,
    NATS_USER: endpoints.nats_operator?.user,
    NATS_PASSWORD: endpoints.nats_operator?.pass,
    SFS_DB_URL: endpoints.databases.sfs_db,
    AUTH_SERVICE_URL: endpoints.services.auth?.http,
    OPERATOR_KEY: randomUUID(),
    SFS_TO_AUTH_KEY: endpoints.service_key,
    HOST: "127.0.0.1",
    PORT: "0",
  });
  const url = await waitFor(() => /"url":"(http:[^"]+)"/.exec(service.output())?.[1], { what: "its URL" });
  await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: "readiness" }).catch(
    (cause: unknown) => {
      throw new Error(`it is not ready:\n${service.output()}`, { cause });
    },
  );
  expect(await service.end()).toMatchObject({ code: 0 });
});

test("the mesh changes as it says: what speaks of users, one migration, and the copies keep it too", async () => {
  await dev?.end();
  const migrations = () => readdirSync(at("generated/auth/migrations"));
  const before = migrations();
  edit("mesh.yaml", (text) =>
    text
      .replace(/( +)username: {6}\{ type: text, unique: true \}\n/, "$&$1email: { type: text, null: true }\n")
      .replaceAll(/(event: User(?:Created|Updated)[\s\S]*?display_name: string) \}/g, "$1, email: string? }"),
  );
  const first = await mesh(folder, "generate", "--json");
  expect(first.code).toBe(0);
  const { written } = JSON.parse(first.stdout) as { readonly written: readonly string[] };
  const speaksOfUsers =
    /^(auth\/|schemas\/User|README\.md|mesh\.lock\.json|plan\.|subjects|(sfs|compute)\/(consumers\/auth-user|validators))/;
  expect(written.filter((path) => !speaksOfUsers.test(path))).toEqual([]);
  expect(migrations().length).toBe(before.length + 1);
  expect(migrations()).toEqual(expect.arrayContaining(before));

  edit("mesh.yaml", (text) => {
    const cache = text.indexOf("user_cache: &user_cache");
    return (
      text.slice(0, cache) +
      text.slice(cache).replace(/( +)username: .*\n/, "$&$1email: { type: text, null: true }\n")
    );
  });
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  writeFileSync(at("hooks/sfs.ts"), block("ts", "sfsHooks"));
  const config = { extends: "./tsconfig.json", include: ["generated", "hooks"] };
  writeFileSync(at("tsconfig.hooks.json"), JSON.stringify(config));
  execFileSync(
    process.execPath,
    [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.hooks.json"],
    {
      cwd: folder,
      stdio: "pipe",
    },
  );
});

test("the hook runs in the event's transaction, and what it throws holds up its own entity alone", async () => {
  dev = await startDev(folder, at(".mesh"));
  await sql("auth_db", "UPDATE users SET email = 'jane@example' WHERE user_id = 'by-hand'");
  await shows("sfs_db", "SELECT email FROM user_cache", "jane@example");
  await sql("sfs_db", "INSERT INTO namespaces (namespace_id, name) VALUES ('first', 'taken')");
  await sql("auth_db", "INSERT INTO users (user_id, username) VALUES ('taken', 'bob')");
  await sql("auth_db", "INSERT INTO users (user_id, username) VALUES ('free', 'eve')");
  await shows("sfs_db", "SELECT owner_id FROM namespaces WHERE name = 'free'", "free");
  await shows("sfs_db", "SELECT user_id FROM user_cache", "free");
  expect(await sql("sfs_db", "SELECT username FROM user_cache")).not.toContain("bob");
  await waitFor(() => dev?.output().includes("namespaces_name_key"), { what: "the reason in the log" });
});

test(".env.example lists every variable of every service", () => {
  const example = readFileSync(join(ROOT, "generated/.env.example"), "utf8");
  const services = [authService(), sfsService(), computeService(computeHooks), gatewayService()];
  const names = services.flatMap((service) => serviceVariables(service).map(({ name }) => name));
  expect(new Set(names).size).toBeGreaterThan(10);
  expect([...new Set(names)].filter((name) => !new RegExp(`^(# ?)?${name}=`, "m").test(example))).toEqual([]);
});
