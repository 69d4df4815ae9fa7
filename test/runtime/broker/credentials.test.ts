import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "nats";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Connection, openConnection } from "../../../runtime/broker/connection.js";
import { explainTls } from "../../../runtime/broker/login.js";
import {
  brokerLogin,
  checkBroker,
  LOGIN_VARIABLES,
  readCredentials,
} from "../../../runtime/service/credentials.js";
import { type Authority, type Certified, makeAuthority } from "../../support/certificates.js";
import { recordingLogger } from "../../support/loggers.js";
import { startNats, type TestNats, waitFor } from "../../support/servers.js";

/*
 * How a service logs in at a real broker, by the variables that it is given: values or files, which are replaced
 * while it runs; and whom it takes for its broker under TLS.
 */

const pair = nkeys.createUser();
const seed = Buffer.from(pair.getSeed()).toString();
const USERS = `users: [
  { user: sfs, password: "old password" }
  { user: sfs2, password: "new password" }
  { nkey: ${pair.getPublicKey()} }
]`;

let folder: string;
const servers: TestNats[] = [];
const connections: Connection[] = [];
let authority: Authority;
let certificate: Certified;

async function start(configuration: string): Promise<TestNats> {
  const server = await startNats({ configuration });
  servers.push(server);
  return server;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mesh-credentials-"));
  authority = await makeAuthority("mesh test");
  certificate = await authority.issue(["localhost", "127.0.0.1"]);
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.remove()));
  await rm(folder, { recursive: true, force: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
  return path;
}

/** A connection by these variables alone, as a service opens it. */
function open(env: Readonly<Record<string, string>>) {
  const files = readCredentials(["NATS_URL", ...LOGIN_VARIABLES], env);
  const problems = [...files.problems.values(), ...checkBroker(files.env)];
  if (problems.length > 0) throw new Error(problems.join("; "));
  const logger = recordingLogger();
  const connection = openConnection({
    ...brokerLogin(files.env),
    renew: (warn) => brokerLogin(files.renewed(warn)),
    name: "sfs",
    logger,
  });
  connections.push(connection);
  return { connection, logger };
}

/** The broker's name for whoever is connected. */
async function userOf({ connection }: { readonly connection: Connection }): Promise<string> {
  const client = await connection.connected(5_000);
  const answer = await client.request("$SYS.REQ.USER.INFO", "", { timeout: 5_000 });
  return (answer.json() as { readonly data: { readonly user: string } }).data.user;
}

const problemOf = async ({ connection }: { readonly connection: Connection }) =>
  await waitFor(() => connection.lastError(), { what: "an error of the connection" });

describe("without TLS", () => {
  let nats: TestNats;
  beforeAll(async () => {
    nats = await start(`authorization { ${USERS} }`);
  });

  test("user and password, as values, in the URL, and in files", async () => {
    const password = await file("password", "old password\n");
    expect(await userOf(open({ NATS_URL: nats.url, NATS_USER: "sfs", NATS_PASSWORD: "old password" }))).toBe(
      "sfs",
    );
    expect(await userOf(open({ NATS_URL: nats.url, NATS_USER: "sfs", NATS_PASSWORD_FILE: password }))).toBe(
      "sfs",
    );
    const url = await file("url", nats.url.replace("//", "//sfs:old%20password@"));
    expect(await userOf(open({ NATS_URL_FILE: url }))).toBe("sfs");
  });

  test("an nkey: its seed, or its file by either variable", async () => {
    const path = await file("sfs.nk", `${seed}\n`);
    for (const given of [{ NATS_NKEY: seed }, { NATS_NKEY: path }, { NATS_NKEY_FILE: path }])
      expect(await userOf(open({ NATS_URL: nats.url, ...given }))).toBe(pair.getPublicKey());
  });

  test("a token, as a value or as the URL's user", async () => {
    const other = await start('authorization { token: "a token" }');
    for (const given of [
      { NATS_URL: other.url, NATS_TOKEN: "a token" },
      { NATS_URL: other.url.replace("//", "//a%20token@") },
    ])
      expect(await open(given).connection.connected(5_000)).toBeDefined();
    const wrong = open({ NATS_URL: other.url, NATS_TOKEN: "hunter2" });
    expect(await problemOf(wrong)).toMatch(/authorization violation/i);
    expect(JSON.stringify(wrong.logger.lines)).not.toContain("hunter2");
  });

  test("a list of servers, of which some are away", async () => {
    const urls = `nats://127.0.0.1:9,${nats.url},localhost:10`;
    expect(await userOf(open({ NATS_URL: urls, NATS_USER: "sfs", NATS_PASSWORD: "old password" }))).toBe(
      "sfs",
    );
  });

  test("files that are replaced are read at the next connection; one that is gone counts as it was", async () => {
    const env = {
      NATS_URL: nats.url,
      NATS_USER_FILE: await file("user", "sfs"),
      NATS_PASSWORD_FILE: await file("rotated", "old password"),
    };
    const opened = open(env);
    expect(await userOf(opened)).toBe("sfs");
    await file("user", "sfs2");
    await file("rotated", "new password");
    await nats.restart();
    await waitFor(async () => (await userOf(opened)) === "sfs2", { what: "the new user" });
    await rm(env.NATS_PASSWORD_FILE);
    await nats.restart();
    await waitFor(() =>
      opened.logger.lines.some(({ message }) => message === "a secret is used as it was before"),
    );
    await waitFor(async () => (await userOf(opened)) === "sfs2", { what: "the same user" });
    expect(JSON.stringify(opened.logger.lines)).not.toContain("new password");
  });
});

describe("with TLS", () => {
  const tls = (more = "") =>
    `tls { cert_file: "${certificate.certFile}", key_file: "${certificate.keyFile}", ca_file: "${authority.certFile}", ${more} }`;

  test("a broker of an authority of one's own, and of none that is trusted", async () => {
    const nats = await start(tls());
    const url = nats.url.replace("nats:", "tls:");
    for (const NATS_CA of [authority.cert, authority.certFile])
      expect(await open({ NATS_URL: url, NATS_CA }).connection.connected(5_000)).toBeDefined();
    const other = await makeAuthority("somebody else");
    for (const given of [{}, { NATS_CA: other.cert }]) {
      const refused = open({ NATS_URL: url, ...given });
      expect(await problemOf(refused)).toMatch(
        /^the broker is refused: its certificate is of no authority that is trusted here: NATS_CA /,
      );
      expect(refused.connection.client()).toBeUndefined();
    }
  });

  test("a broker that is another host is refused, and one without TLS where tls:// asks for it", async () => {
    const elsewhere = await authority.issue(["nats.example.com"]);
    const nats = await start(`tls { cert_file: "${elsewhere.certFile}", key_file: "${elsewhere.keyFile}" }`);
    expect(await problemOf(open({ NATS_URL: nats.url, NATS_CA: authority.cert }))).toMatch(/another host/);
    const plain = await start("");
    const url = plain.url.replace("nats:", "tls:");
    expect(await problemOf(open({ NATS_URL: url }))).toMatch(/does not speak TLS/);
  });

  test("TLS before the broker's greeting", async () => {
    const nats = await start(tls("handshake_first: true"));
    const env = { NATS_URL: nats.url, NATS_CA: authority.cert, NATS_TLS_FIRST: "on" };
    expect(await open(env).connection.connected(5_000)).toBeDefined();
  });

  test("a client certificate is the login, where the broker maps it; it is replaced without a restart", async () => {
    const nats = await start(
      `${tls("verify_and_map: true")}\nauthorization { users: [{ user: sfs }, { user: sfs2 }] }`,
    );
    const first = await authority.issue(["sfs"]);
    const second = await authority.issue(["sfs2"]);
    const env = {
      NATS_URL: nats.url,
      NATS_CA: authority.certFile,
      NATS_CERT_FILE: await file("client.pem", first.cert),
      NATS_KEY_FILE: await file("client.key", first.key),
    };
    const opened = open(env);
    expect(await userOf(opened)).toBe("sfs");
    await file("client.pem", second.cert);
    await file("client.key", second.key);
    await nats.restart();
    await waitFor(async () => (await userOf(opened)) === "sfs2", { what: "the new certificate's user" });
    // A broker that wants one does not answer those who have none.
    expect(explainTls("TIMEOUT")).toMatch(/client certificate/);
  });
});

describe("what can never work is one line, with no secret in it", () => {
  const SECRET = "hunter2";
  const of = (env: Readonly<Record<string, string>>) => {
    const files = readCredentials(["NATS_URL", ...LOGIN_VARIABLES], { NATS_URL: "nats://h", ...env });
    return [...files.problems.values(), ...(files.problems.size > 0 ? [] : checkBroker(files.env))];
  };
  test.each([
    [
      "two logins",
      { NATS_USER: "sfs", NATS_TOKEN: SECRET },
      "NATS_USER and NATS_TOKEN are set; the broker takes one of them",
    ],
    [
      "a login beside the URL's",
      { NATS_URL: `nats://a:${SECRET}@h`, NATS_NKEY: seed },
      "NATS_URL holds a user, and NATS_NKEY is set; give one of them",
    ],
    ["a password alone", { NATS_PASSWORD: SECRET }, "NATS_PASSWORD is set without NATS_USER"],
    [
      "a value and its file",
      { NATS_PASSWORD: SECRET, NATS_PASSWORD_FILE: "/x", NATS_USER: "sfs" },
      "NATS_PASSWORD and NATS_PASSWORD_FILE are both set; give one of them",
    ],
    [
      "a file that is not there",
      { NATS_USER: "sfs", NATS_PASSWORD_FILE: "/nowhere/pw" },
      'the file of NATS_PASSWORD_FILE, "/nowhere/pw", does not exist',
    ],
    [
      "a secret in place of a path",
      { NATS_USER: "sfs", NATS_PASSWORD_FILE: SECRET },
      "the file of NATS_PASSWORD_FILE does not exist",
    ],
    ["a folder", { NATS_CREDS: "/tmp" }, 'the file of NATS_CREDS, "/tmp", is not a plain file'],
    ["a seed that is cut", { NATS_NKEY: seed.slice(0, 40) }, "the file of NATS_NKEY does not exist"],
    [
      "a seed with a wrong letter",
      { NATS_NKEY: `${seed.slice(0, -3)}AAA` },
      "NATS_NKEY holds no seed of a user, which begins with SU",
    ],
    [
      "credentials without a seed",
      { NATS_CREDS: "-----BEGIN NATS USER JWT-----\nx\n" },
      "NATS_CREDS is no credentials file; it holds a user's JWT and, after it, the user's seed",
    ],
    [
      "a certificate without its key",
      { NATS_CERT: "-----BEGIN CERTIFICATE-----" },
      "NATS_CERT is set without NATS_KEY",
    ],
  ])("%s", (_, env, problem) => {
    expect(of(env)).toEqual([problem]);
    expect(of(env).join("")).not.toContain(SECRET);
  });

  test("a key of another certificate", async () => {
    const other = await authority.issue(["other"]);
    expect(of({ NATS_CERT: certificate.cert, NATS_KEY: other.key })).toEqual([
      expect.stringMatching(/^NATS_CERT and NATS_KEY cannot be used: /),
    ]);
  });

  test.skipIf(process.getuid?.() === 0)("a file that this user may not read", async () => {
    const path = await file("forbidden", SECRET);
    await chmod(path, 0);
    expect(of({ NATS_USER: "sfs", NATS_PASSWORD_FILE: path })).toEqual([
      expect.stringMatching(/may not be read/),
    ]);
  });
});
