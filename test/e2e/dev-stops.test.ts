import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { hasProc } from "../support/mesh-command.js";
import { MESH, waitFor } from "../support/reference-mesh.js";

/*
 * However `mesh dev` ends, whoever ends it and however far it had come: soon, with a line that says why, and with
 * everything that it had started.
 */

const temporary = mkdtempSync(join(tmpdir(), "mesh-dev-stops-"));
// As root, PostgreSQL runs under another uid, which must be able to enter the folder.
chmodSync(temporary, 0o755);
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

let made = 0;

/** Programs that stand in for others, as shell scripts. */
function programs(scripts: Readonly<Record<string, string>>): string {
  made += 1;
  const folder = join(temporary, `bin-${made}`);
  mkdirSync(folder, { mode: 0o755 });
  for (const [name, text] of Object.entries(scripts))
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return folder;
}

const runs: Dev[] = [];
afterEach(() => {
  for (const dev of runs.splice(0)) for (const pid of dev.processes()) process.kill(pid, "SIGKILL");
});

interface Dev {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exit: Promise<number | null>;
  /** Its own and all that it started, found by a variable that they inherit. */
  processes(): readonly number[];
  endpoints: string;
}

interface DevRun {
  readonly env?: NodeJS.ProcessEnv;
  readonly state?: string;
  /** Through what it is started; `"$@"` is its command. */
  readonly shell?: string;
}

function startDev({ env = {}, state, shell }: DevRun): Dev {
  made += 1;
  const mark = `MESH_TEST_RUN=${process.pid}-${made}`;
  const folder = state ?? join(temporary, `state-${made}`);
  const { PATH, HOME, XDG_CACHE_HOME, NATS_SERVER_BIN, POSTGRES_BIN } = process.env;
  const command = [process.execPath, MESH, "dev", "--free-ports", "--state", folder];
  const [program = "", ...args] = shell === undefined ? command : ["/bin/sh", "-c", shell, "sh", ...command];
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { PATH, HOME, XDG_CACHE_HOME, NATS_SERVER_BIN, POSTGRES_BIN, ...env, MESH_TEST_RUN: mark.slice(14) },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const dev = {
    child,
    output: () => output,
    exit,
    processes: () => marked(mark),
    endpoints: join(folder, "endpoints.json"),
  };
  runs.push(dev);
  return dev;
}

function marked(mark: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))) return false;
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(mark);
      } catch {
        return false;
      }
    });
}

async function gone(dev: Dev): Promise<void> {
  await waitFor(() => dev.processes().length === 0, { what: `every process to be gone: ${dev.output()}` });
}

const said = (dev: Dev, text: string | RegExp) =>
  waitFor(() => dev.output().search(text) >= 0, { timeoutMs: 60_000, what: `${text} in: ${dev.output()}` });

const FAKE_VERSION = `[ "$1" = --version ] && echo "postgres (PostgreSQL) 17.1" && exit 0`;

describe.skipIf(!hasProc)("one that does not come up ends them all", () => {
  const hooks = (text: string) => {
    made += 1;
    const file = join(temporary, `hooks-${made}.mjs`);
    writeFileSync(file, text);
    return { MESH_HOOKS: file };
  };
  const taken = join(temporary, "not-a-folder");
  writeFileSync(taken, "");
  const cases: readonly [what: string, run: () => DevRun, says: RegExp][] = [
    [
      "a broker that refuses its configuration",
      () => ({
        env: { NATS_SERVER_BIN: join(programs({ nats: "echo 'no such option' >&2; exit 1" }), "nats") },
      }),
      /mesh: nats-server did not start:\nno such option/,
    ],
    [
      "a broker that is no program",
      () => ({ env: { NATS_SERVER_BIN: taken } }),
      /mesh: NATS_SERVER_BIN is .* not a program that can be run/,
    ],
    [
      "a broker elsewhere that does not answer",
      () => ({ env: { NATS_URL: "nats://127.0.0.1:9" } }),
      /mesh: the broker is not connected/,
    ],
    [
      "an initdb that fails",
      () => ({
        env: {
          POSTGRES_BIN: programs({ postgres: FAKE_VERSION, initdb: "echo 'no space left' >&2; exit 1" }),
        },
      }),
      /mesh: \S+initdb ended with exit code 1:\nno space left/,
    ],
    [
      "a PostgreSQL that dies at its start",
      () => ({
        env: {
          POSTGRES_BIN: programs({
            postgres: `${FAKE_VERSION}\necho 'FATAL: no shared memory' >&2; exit 1`,
            initdb: 'mkdir -p "$2"',
          }),
        },
      }),
      /mesh: PostgreSQL did not start:\nFATAL: no shared memory/,
    ],
    [
      "hooks that do not parse",
      () => ({ env: hooks("export const = 1;") }),
      /mesh: service "\w+" cannot start/,
    ],
    [
      "a service that ends again and again",
      () => ({ env: hooks("process.exit(3);") }),
      /mesh: service "\w+" ended 3 times \(exit code 3\) before it was ready/,
    ],
    [
      "a state folder that cannot be",
      () => ({ state: join(taken, "state") }),
      /mesh: .*state cannot be made \(ENOTDIR\)/,
    ],
  ];
  test.each(cases)(
    "%s",
    async (_, run, says) => {
      const dev = startDev(run());
      const code = await dev.exit;
      expect(dev.output()).toMatch(says);
      expect(code).toBeGreaterThan(0);
      await gone(dev);
      expect(existsSync(dev.endpoints)).toBe(false);
    },
    60_000,
  );
});

describe.skipIf(!hasProc)("told to stop before all is up, it stops", () => {
  const slowInitdb = () => ({
    env: { POSTGRES_BIN: programs({ postgres: FAKE_VERSION, initdb: "sleep 60 & wait" }) },
  });
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s while the cluster is made",
    async (signal) => {
      const dev = startDev(slowInitdb());
      await said(dev, "creating a PostgreSQL cluster");
      dev.child.kill(signal);
      const started = Date.now();
      expect(await dev.exit).toBe(1);
      expect(Date.now() - started).toBeLessThan(8_000);
      expect(dev.output()).toContain("stopping before all was up");
      await waitFor(() => dev.processes().length <= 1, { what: "all but the sleep to be gone" });
    },
    60_000,
  );

  test("killed with -9 while the cluster is made, it takes initdb along", async () => {
    const dev = startDev({
      env: { POSTGRES_BIN: programs({ postgres: FAKE_VERSION, initdb: "exec sleep 60" }) },
    });
    await said(dev, "creating a PostgreSQL cluster");
    await waitFor(() =>
      dev.processes().some((pid) => readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n"),
    );
    dev.child.kill("SIGKILL");
    await gone(dev);
  }, 60_000);

  test("Ctrl-C while services start, and another one that does not wait for them", async () => {
    const dev = startDev({});
    await said(dev, /\bauth\b.*listening/);
    dev.child.kill("SIGINT");
    await said(dev, "stopping before all was up");
    dev.child.kill("SIGINT");
    expect(await dev.exit).toBe(1);
    await gone(dev);
  }, 60_000);
});

describe.skipIf(!hasProc)("started by npm, it ends with npm", () => {
  const env = { npm_config_user_agent: "npm/11.0.0 node/v20" };

  test("npm passes a SIGTERM on to its shell, which dies of it: what the shell ran stops", async () => {
    const dev = startDev({ env, shell: '"$@"; exit 0' });
    await waitFor(() => existsSync(dev.endpoints), {
      timeoutMs: 60_000,
      what: `it to be up: ${dev.output()}`,
    });
    dev.child.kill("SIGTERM");
    await gone(dev);
    expect(dev.output()).toContain("stopping …");
  }, 90_000);
});
