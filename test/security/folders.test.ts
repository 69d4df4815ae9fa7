import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isOwnFolder, makeOwnFolder } from "../../generator/dev/servers/files.js";
import { removePostgres, startPostgres } from "../../generator/dev/servers/postgres-server.js";
import { afterTest } from "../support/after-test.js";
import { withClient } from "../support/roles.js";

/*
 * Root starts PostgreSQL under another uid, in a folder at a path that anybody can foresee: whatever somebody else put
 * there is refused, and stays as it was.
 */

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const STRANGER = 4711;

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "mesh-folders-"));
  afterTest(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** mkdtemp makes it 0700: PostgreSQL's user cannot pass, and its data goes elsewhere. */
function unreachable(): { readonly folder: string; readonly elsewhere: string } {
  const folder = join(temporary(), "postgres");
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const elsewhere = join(tmpdir(), `meshwright-${hash}`);
  afterTest(async () => rmSync(elsewhere, { recursive: true, force: true }));
  return { folder, elsewhere };
}

async function start(folder: string) {
  const server = await startPostgres({ folder, settings: { fsync: "off" } });
  afterTest(() => server.stop());
  return server;
}

test("a link is refused, and so is what is no folder", async () => {
  const folder = temporary();
  const foreign = temporary();
  chmodSync(foreign, 0o750);
  symlinkSync(foreign, join(folder, "link"));
  await expect(makeOwnFolder(join(folder, "link"))).rejects.toThrow("is not a folder of ours: remove it");
  expect(await isOwnFolder(join(folder, "link"))).toBe(false);
  expect(statSync(foreign).mode & 0o777).toBe(0o750);
  await makeOwnFolder(join(folder, "a", "b"));
  await makeOwnFolder(join(folder, "a", "b"));
  expect(await isOwnFolder(join(folder, "a", "b"))).toBe(true);
});

test.skipIf(!isRoot)(
  "root's start changes no folder that a link at the foreseeable path leads to",
  async () => {
    const { folder, elsewhere } = unreachable();
    const foreign = temporary();
    symlinkSync(foreign, elsewhere);
    await expect(start(folder)).rejects.toThrow(`${elsewhere} is not a folder of ours: remove it`);
    await removePostgres(folder);
    expect(statSync(foreign).uid).toBe(0);
    expect(readdirSync(foreign)).toEqual([]);
  },
);

test.skipIf(!isRoot)("root's start uses no folder that somebody else has made", async () => {
  const { folder, elsewhere } = unreachable();
  mkdirSync(elsewhere);
  chownSync(elsewhere, STRANGER, STRANGER);
  await expect(start(folder)).rejects.toThrow(`belongs to user ${STRANGER}, and not to us: remove it`);
  await removePostgres(folder);
  expect(statSync(elsewhere).uid).toBe(STRANGER);
});

test.skipIf(!isRoot)(
  "PostgreSQL's user owns its data, and nothing that root reads or writes beside it",
  async () => {
    const { folder, elsewhere } = unreachable();
    const first = await start(folder);
    await withClient(first.url, (client) => client.query("CREATE DATABASE kept"));
    await first.stop();
    const found = statSync(elsewhere);
    expect([found.uid, found.mode & 0o777, statSync(join(elsewhere, "data")).uid]).toEqual([
      0,
      0o711,
      NOBODY,
    ]);
  },
);
