import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAccount, createOperator } from "@nats-io/jwt";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { brokerClaims } from "../../../generator/emit/documents/broker-claims.js";
import { openLookup } from "../../../generator/emit/lookup.js";
import { issueCredentials } from "../../../generator/project/issue-credentials.js";
import { openKeyFolder } from "../../../generator/project/key-folder.js";
import { compile, readMesh } from "../../support/compile.js";

/*
 * The folder of keys, when a run is ended half-way and when its files are not what they should be.
 */

const claims = brokerClaims(openLookup(compile(readMesh())));

/** Keys of a whole mesh take seconds: made once, and copied by tests that begin with them. */
let issued: string;
beforeAll(async () => {
  issued = mkdtempSync(join(tmpdir(), "mesh-issued-"));
  await issueCredentials({ claims, folder: openKeyFolder(issued) });
});
afterAll(() => rmSync(issued, { recursive: true }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mesh-keys-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const seedText = (pair: { getSeed(): Uint8Array }) => `${Buffer.from(pair.getSeed()).toString()}\n`;

test("a rotated key is revoked before its file is replaced, so that no ended run leaves it valid", async () => {
  cpSync(issued, folder, { recursive: true });
  const keys = openKeyFolder(folder);
  const former = await keys.user("services/sfs.creds", false);
  const ending = {
    ...keys,
    write: async (file: string, text: string) => {
      if (file === "services/sfs.creds") throw new Error("the disk is full");
      await keys.write(file, text);
    },
  };
  await expect(issueCredentials({ claims, folder: ending, rotate: "sfs" })).rejects.toThrow("disk is full");
  expect((await keys.read("keys/revoked.json")) ?? "").toContain(former.key.getPublicKey());
});

test.each(["{broken", "[1]", '{"sfs":[1]}', '{"sfs":{"U":"x"}}', ""])(
  "nothing is signed where the list of revoked keys is %j",
  async (text) => {
    cpSync(issued, folder, { recursive: true });
    const keys = openKeyFolder(folder);
    await keys.write("keys/revoked.json", text);
    await expect(issueCredentials({ claims, folder: keys })).rejects.toThrow("keys/revoked.json is not as");
  },
);

test.each([
  ["keys/operator.nk", seedText(createAccount()), "operator.nk holds no seed of an operator's key"],
  ["keys/mesh-account.nk", seedText(createOperator()), "mesh-account.nk holds no seed of an account's key"],
  ["services/sfs.creds", seedText(createAccount()), "sfs.creds holds no seed of a user's key"],
  ["keys/operator.nk", "rubbish", "operator.nk holds no seed of an operator's key"],
])("%s with another's key is named", async (file, text, message) => {
  const keys = openKeyFolder(folder);
  await keys.write(file, text);
  await expect(issueCredentials({ claims, folder: keys })).rejects.toThrow(message);
});

test("a secret is written to a file of its own, not through what lies at its temporary name", async () => {
  const elsewhere = join(folder, "elsewhere");
  writeFileSync(elsewhere, "as it was");
  chmodSync(elsewhere, 0o666);
  symlinkSync(elsewhere, join(folder, "system.creds.new"));
  await openKeyFolder(folder).write("system.creds", "secret");
  expect(readFileSync(elsewhere, "utf8")).toBe("as it was");
  expect(statSync(join(folder, "system.creds")).mode & 0o777).toBe(0o600);
});

test("a folder that cannot be made, and a FIFO in the place of a key, are refused in one line and block nobody", async () => {
  const issue = (at: string) => issueCredentials({ claims, folder: openKeyFolder(at) });
  if (existsSync("/proc/self"))
    await expect(issue("/proc/below/keys")).rejects.toThrow(
      /^\/proc\/below\/keys\S* cannot be made \(E[A-Z]+\)$/,
    );
  writeFileSync(join(folder, "taken"), "");
  await expect(issue(join(folder, "taken"))).rejects.toThrow(/taken cannot be made \(EEXIST\)$/);
  if (process.platform === "win32") return;
  mkdirSync(join(folder, "keys"));
  execFileSync("mkfifo", [join(folder, "keys/operator.nk")]);
  await expect(issue(folder)).rejects.toThrow("operator.nk is no file");
});
