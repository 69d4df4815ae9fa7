import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { mesh, meshWith, startCommand, startCompiled, startDev } from "../support/mesh-command.js";
import { installPackages } from "../support/packages.js";
import { waitFor } from "../support/reference-mesh.js";

/*
 * The second way in: the package as npm would install it, in an empty folder of somebody else's.
 */

const folder = mkdtempSync(join(tmpdir(), "mesh-project-"));
// As root, PostgreSQL runs under another uid, which must be able to enter the folder.
chmodSync(folder, 0o755);
const at = (path: string) => join(folder, path);

beforeAll(() => {
  installPackages(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("init writes a mesh that is fine, and refuses to overwrite it", async () => {
  writeFileSync(at("package.json"), JSON.stringify({ name: "mine", scripts: { dev: "my own" } }));
  expect(await mesh(folder, "init")).toMatchObject({ code: 0 });
  for (const path of [
    "mesh.yaml",
    "tsconfig.json",
    ".gitignore",
    ".gitattributes",
    ".vscode/settings.json",
    "hooks/orders.ts",
  ]) {
    expect(existsSync(at(path)), path).toBe(true);
  }
  const project = JSON.parse(readFileSync(at("package.json"), "utf8"));
  expect(project).toMatchObject({
    name: "mine",
    type: "module",
    scripts: { dev: "my own", generate: "mesh generate" },
  });
  expect(await mesh(folder, "check")).toMatchObject({ code: 0 });

  writeFileSync(at("hooks/orders.ts"), readFileSync(at("hooks/orders.ts"), "utf8"));
  const again = await mesh(folder, "init");
  expect(again.code).toBe(2);
  expect(again.stderr).toContain("mesh.yaml exists");
});

test("generate is idempotent, and its output compiles under the strict flags", async () => {
  const first = await mesh(folder, "generate", "--json");
  expect(first).toMatchObject({ code: 0 });
  expect(JSON.parse(first.stdout).written).toContain("orders/consumers/customers-customer.ts");
  const second = await mesh(folder, "generate", "--json");
  expect(JSON.parse(second.stdout)).toMatchObject({ written: [], removed: [] });
  expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc")], {
    cwd: folder,
    stdio: "pipe",
  });
});

test("--check names what was edited, deleted or left over, and writes nothing", async () => {
  appendFileSync(at("generated/orders/tables.ts"), "// mine\n");
  rmSync(at("generated/orders/events.ts"));
  const drifted = await mesh(folder, "generate", "--check");
  expect(drifted.code).toBe(1);
  expect(drifted.stdout).toContain("generated/orders/tables.ts");
  expect(drifted.stdout).toContain("generated/orders/events.ts");
  expect(existsSync(at("generated/orders/events.ts"))).toBe(false);
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
});

test("a mistake is named at its place, with exit code 1, and not one file is touched", async () => {
  const good = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(
    at("mesh.yaml"),
    good.replace("subscribes: [customers.customer.*]", "subscribes: [customers.custmer.*]"),
  );
  const before = readFileSync(at("generated/mesh.lock.json"), "utf8");
  const broken = await mesh(folder, "generate");
  expect(broken.code).toBe(1);
  expect(broken.stderr).toMatch(/mesh\.yaml:\d+:\d+ - error/);
  expect(broken.stderr).toContain("customers.customer.*");
  const json = await mesh(folder, "check", "--json");
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout).diagnostics[0]).toMatchObject({ severity: "error", file: "mesh.yaml" });
  expect(readFileSync(at("generated/mesh.lock.json"), "utf8")).toBe(before);
  writeFileSync(at("mesh.yaml"), good);
});

test("a warning is said on stderr and in --json, and is no finding", async () => {
  const good = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(at("mesh.yaml"), good.replace(/(synced_at.*\n)/, "$1          colour: text?\n"));
  const said = "warning cache-column-without-source";
  const checked = await mesh(folder, "check");
  expect(checked).toMatchObject({ code: 0, stderr: expect.stringContaining(said) });
  expect(checked.stderr).toMatch(/\n1 warning\n$/);
  expect(checked.stdout).toMatch(/^ok .* events, 1 warning\n$/);
  const strict = await mesh(folder, "check", "--strict");
  expect(strict).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("\n1 warning\n--strict: "),
  });
  const diagnostics = [
    { severity: "warning", code: "cache-column-without-source", column: 11, endColumn: 17 },
  ];
  const json = await mesh(folder, "check", "--json");
  expect(json).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({ diagnostics });
  const drift = await mesh(folder, "generate", "--check", "--json");
  expect(drift.code).toBe(1);
  expect(JSON.parse(drift.stdout)).toMatchObject({ diagnostics });
  const generated = await mesh(folder, "generate", "--check");
  expect(generated.stderr).toMatch(
    /^1 warning: cache-column-without-source at mesh\.yaml:\d+:11; see `mesh check`\n/,
  );
  // Ignored in place it is neither printed nor fatal.
  const warned = readFileSync(at("mesh.yaml"), "utf8");
  const why = "a hook will paint it";
  writeFileSync(
    at("mesh.yaml"),
    warned.replace("colour: text?", `colour: text?  # mesh-ignore cache-column-without-source: ${why}`),
  );
  expect(await mesh(folder, "check", "--strict")).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("1 warning ignored"),
  });
  const ignored = await mesh(folder, "check", "--strict", "--json");
  expect(ignored.code).toBe(0);
  expect(JSON.parse(ignored.stdout)).toMatchObject({ diagnostics: [{ ...diagnostics[0], ignored: why }] });
  // An error of the same file is never hidden by it.
  writeFileSync(at("mesh.yaml"), readFileSync(at("mesh.yaml"), "utf8").replace("on: insert", "on: insrt"));
  expect(await mesh(folder, "check")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("\n1 error\n"),
  });
  writeFileSync(at("mesh.yaml"), good);
});

test("what is warned of a file of hooks is counted among the warnings", async () => {
  const good = readFileSync(at("hooks/orders.ts"), "utf8");
  writeFileSync(at("hooks/orders.ts"), "const hooks = {};\n");
  const { code, stdout, stderr } = await mesh(folder, "check");
  writeFileSync(at("hooks/orders.ts"), good);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^hooks\/orders\.ts - warning unexported-hooks: .*\n {2}hint: .*\n\n/),
  });
  const warnings = stderr.match(/ - warning /g)?.length;
  expect(stderr).toMatch(new RegExp(`\\n${warnings} warnings?\\n$`));
  expect(stdout).toMatch(new RegExp(`, ${warnings} warnings?\\n$`));
});

test("--watch follows each save, a broken one included, and writes only what changed", async () => {
  const good = readFileSync(at("mesh.yaml"), "utf8");
  const watching = startCommand(folder, "generate", "--watch");
  // A save may be seen twice, half written and complete: the last answer is that of the complete file.
  const save = async (text: string, expected: RegExp) => {
    const before = watching.output().length;
    writeFileSync(at("mesh.yaml"), text);
    await waitFor(() => expected.test(watching.output().slice(before)), { what: `${expected}` });
  };
  try {
    await waitFor(() => watching.output().includes("watching mesh.yaml"));
    await save(
      good.replace("event: OrderPlaced", "event: orderPlaced"),
      /orderPlaced[\s\S]*nothing was written/,
    );
    await save(
      good.replace("event: OrderPlaced", "description: Somebody ordered\n    event: OrderPlaced"),
      /generated .*: [1-9] written, [1-9]\d* unchanged/,
    );
    await save(good, /generated .*: [1-9] written, [1-9]\d* unchanged/);
    expect(await watching.end("SIGINT")).toMatchObject({ code: 0 });
    expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
  } finally {
    // The tests after this one work with the same file.
    writeFileSync(at("mesh.yaml"), good);
    await watching.end("SIGKILL");
  }
});

test("usage mistakes end with 2 and say what to do", async () => {
  for (const args of [
    ["nonsense"],
    ["generate", "--nonsense"],
    ["run"],
    ["run", "nobody"],
    ["-C", "/nowhere", "check"],
    ["generate", "--check", "--watch"],
    ["provision", "--replicas", "many"],
    ["check", "one", "too", "many"],
    ["graph", "--focus", "nobody"],
    ["graph", "--format", "png"],
    ["export", "wsdl"],
    ["export", "openapi"],
    ["export", "asyncapi", "--service", "nobody"],
    ["export", "backstage", "--owner", ""],
    ["export", "backstage", "--owner", "platform team"],
  ]) {
    const ended = await mesh(folder, ...args);
    expect(ended.code, args.join(" ")).toBe(2);
    expect(ended.stderr).not.toBe("");
  }
  expect((await mesh(join(folder, "hooks"), "generate")).stderr).toContain("mesh init");
});

test("graph draws the mesh, or what follows from an event", async () => {
  const whole = await mesh(folder, "graph");
  expect(whole).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^<svg [\s\S]*Orders[\s\S]*<\/svg>\n$/),
  });
  const focused = await mesh(folder, "graph", "--focus", "orders", "--format", "dot");
  expect(focused).toMatchObject({ code: 0, stdout: expect.stringMatching(/^digraph [\s\S]*\}\n$/) });
  expect((await mesh(folder, "graph", "--focus", "order")).stderr).toContain('did you mean "orders"?');
});

test("export prints what other tools read, or writes it into a folder", async () => {
  const printed = await mesh(folder, "export", "asyncapi", "--service", "orders");
  expect(printed.code).toBe(0);
  expect(JSON.parse(printed.stdout)).toMatchObject({ asyncapi: "3.0.0", info: { title: "Orders of shop" } });
  const written = await mesh(folder, "export", "openapi", "--out", "api");
  expect(written).toMatchObject({ code: 0, stdout: "wrote 2 files into api\n" });
  expect(readFileSync(at("api/orders.openapi.json"), "utf8")).toBe(
    readFileSync(at("generated/orders/openapi.json"), "utf8"),
  );
});

test("dev runs it, hooks included", async () => {
  const dev = await startDev(folder, at(".mesh"));
  try {
    const { services, service_key } = dev.endpoints;
    const call = (url: string | undefined, path: string, body?: object) =>
      fetch(`${url}${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${service_key}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
    const created = await call(services.customers?.http, "/api/customers", { email: "a@b.example" });
    expect(created.status).toBe(201);
    await waitFor(() => dev.output().includes("a customer to sell to"), { what: "the hook's log line" });

    // Compiled as the project's own script does it, a service runs by plain node.
    const PATH = [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter);
    execFileSync("npm", ["run", "build"], { cwd: folder, stdio: "pipe", env: { ...process.env, PATH } });
    const compiled = startCompiled(at("dist/generated/orders/main.js"), {
      NATS_URL: dev.endpoints.nats,
      NATS_USER: dev.endpoints.nats_operator?.user,
      NATS_PASSWORD: dev.endpoints.nats_operator?.pass,
      ORDERS_DB_URL: dev.endpoints.databases.orders_db,
      CUSTOMERS_SERVICE_URL: services.customers?.http,
      OPERATOR_KEY: randomUUID(),
      ORDERS_TO_CUSTOMERS_KEY: service_key,
      PORT: "0",
    });
    const url = await waitFor(() => /"url":"(http:[^"]+)"/.exec(compiled.output())?.[1], { what: "its URL" });
    await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: "readiness" });
    expect(await compiled.end()).toMatchObject({ code: 0 });
  } finally {
    expect(await dev.end()).toMatchObject({ code: 0 });
  }
});

test("the installed package knows its version", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "generator/package.json"), "utf8"));
  const main = at("node_modules/meshwright/bin/mesh.js");
  for (const option of ["--version", "-V"])
    expect(execFileSync(process.execPath, [main, option], { cwd: folder, encoding: "utf8" })).toBe(
      `${version}\n`,
    );
});

test("every command has its help, refuses what it does not know, and colours no pipe", async () => {
  const help = (await mesh(ROOT, "--help")).stdout;
  expect(help).toMatch(/To write a mesh:[\s\S]*To run it:[\s\S]*To prove it:[\s\S]*To operate it:/);
  const commands = [...help.matchAll(/^ {2}([a-z]+)( |$)/gm)].map(([, name = ""]) => name);
  expect(commands.length).toBeGreaterThan(10);
  const under = ["list", "show", "redrive", "discard"].map((name) => ["dlq", name]);
  for (const command of [...commands.filter((name) => name !== "help").map((name) => [name]), ...under]) {
    const told = await meshWith(ROOT, { CI: "true", TERM: "xterm" }, ...command, "--help");
    expect(told, command.join(" ")).toMatchObject({ code: 0, stderr: "" });
    expect(told.stdout).toContain(`Usage: mesh ${command.join(" ")}`);
    expect((await mesh(ROOT, ...command, "--nonsense")).code, command.join(" ")).toBe(2);
  }
  const broken = at("broken");
  mkdirSync(broken);
  writeFileSync(join(broken, "mesh.yaml"), "mesh: 5\n");
  const checked = await meshWith(broken, { CI: "true", TERM: "xterm" }, "check");
  expect(checked).toMatchObject({ code: 1, stderr: expect.not.stringContaining("\x1b") });
  expect((await meshWith(broken, { FORCE_COLOR: "1" }, "check")).stderr).toContain("\x1b");
});

test("help is quick and complete", async () => {
  const started = performance.now();
  const help = await mesh(ROOT, "--help");
  expect(performance.now() - started).toBeLessThan(1_500);
  expect(help.code).toBe(0);
  for (const command of [
    "init",
    "generate",
    "check",
    "dev",
    "run",
    "migrate",
    "status",
    "verify",
    "resync",
    "dlq",
  ]) {
    expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
  }
});
