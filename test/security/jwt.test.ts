import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, credsAuthenticator, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokerClaims } from "../../generator/emit/documents/broker-claims.js";
import { openLookup } from "../../generator/emit/lookup.js";
import { issueCredentials } from "../../generator/project/issue-credentials.js";
import { openKeyFolder } from "../../generator/project/key-folder.js";
import {
  allowedFor,
  type BrokerMesh,
  everySubject,
  meshOfAll,
  startBrokerMesh,
  startJwtMesh,
} from "../support/broker-mesh.js";
import { startNats, waitFor } from "../support/servers.js";

/*
 * The same permissions as nats.conf and as decentralised JWTs: every service, every subject, each cell tried on two real brokers by
 * a bare client, and both answer alike.
 */

const mesh = meshOfAll();
const services = mesh.services.map((service) => [service.name, service] as const);
const subjects = everySubject(mesh);
const FILTERS = [
  ...mesh.events.map(({ filter }) => filter),
  ...mesh.services.map(({ name }) => `_INBOX_${name}.>`),
  ...["_INBOX.>", ">", "*.*.*.*", "$JS.>", "JS.MESH.>", "$SYS.>", "$MESH.>", "$JS.EVENT.ADVISORY.>"],
];

let folder: string;
let brokers: readonly [passwords: BrokerMesh, jwts: BrokerMesh];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mesh-jwt-"));
  brokers = await Promise.all([startBrokerMesh(), startJwtMesh(folder)]);
});
afterAll(async () => {
  await Promise.all((brokers ?? []).map((broker) => broker.close()));
  await rm(folder, { recursive: true, force: true });
});

/** What the broker says against the client's publishes and subscriptions, as subjects. */
function denials(client: NatsConnection): Set<string> {
  const denied = new Set<string>();
  void (async () => {
    for await (const { permissionContext: context } of client.status())
      if (context !== undefined) denied.add(`${context.operation} ${context.subject}`);
  })();
  return denied;
}

/** Of one service at one broker: the subjects that reach the mesh, and what is denied. */
async function matrixOf(broker: BrokerMesh, service: string) {
  const client = await broker.connectAs(service);
  const denied = denials(client);
  const reached = new Set<string>();
  const listening = subjects.map((subject) =>
    broker.operator.subscribe(subject, {
      callback: (_, message) => {
        if (message.string() === `of ${service}`) reached.add(subject);
      },
    }),
  );
  await broker.operator.flush();
  for (const subject of subjects) client.publish(subject, `of ${service}`);
  const heard = FILTERS.map((filter) => client.subscribe(filter, { callback: () => undefined }));
  await client.flush();
  await pause(200);
  await broker.operator.flush();
  for (const subscription of listening) subscription.unsubscribe();
  for (const subscription of heard) subscription.unsubscribe();
  await client.close();
  return { reached: [...reached].sort(), denied: [...denied].sort() };
}

describe("as nats.conf and as JWTs, a service reaches and is denied the same", () => {
  test.each(services)("%s", async (name, service) => {
    const [passwords, jwts] = await Promise.all(brokers.map((broker) => matrixOf(broker, name)));
    expect(jwts).toEqual(passwords);
    expect(jwts?.reached).toEqual(subjects.filter((one) => allowedFor(mesh, service).includes(one)).sort());
    expect(jwts?.denied.length).toBeGreaterThan(0);
  });
});

test("under JWTs an event goes from its publisher to its subscriber, and is acked", async () => {
  const [, jwts] = brokers;
  const [auth, sfs] = await Promise.all([jwts.connectAs("auth"), jwts.connectAs("sfs")]);
  await auth.jetstream({ timeout: 5_000 }).publish("auth.user.jwt1.created", "{}");
  const consumer = await sfs.jetstream().consumers.get("AUTH", "sfs_auth_user");
  const found = await waitFor(async () => {
    const message = await consumer.next({ expires: 5_000 });
    await message?.ackAck();
    return message?.subject === "auth.user.jwt1.created" ? message : undefined;
  });
  expect(found.redelivered).toBe(false);
  const refused = sfs.jetstreamManager({ checkAPI: false }).then((manager) => manager.streams.delete("AUTH"));
  await expect(refused).rejects.toThrow();
});

test("without credentials, or with those of another operator, nobody gets in", async () => {
  const { url } = brokers[1].nats;
  await expect(connect({ servers: url })).rejects.toThrow(/authorization violation/i);
  const other = await mkdtemp(join(tmpdir(), "mesh-jwt-other-"));
  const { creds } = await issueCredentials({
    claims: brokerClaims(openLookup(mesh)),
    folder: openKeyFolder(other),
  });
  const foreign = await readFile(join(other, creds.auth ?? ""));
  await expect(connect({ servers: url, authenticator: credsAuthenticator(foreign) })).rejects.toThrow(
    /authorization violation/i,
  );
  await rm(other, { recursive: true });
});

test("keys stay from run to run; a rotated user is let in with the new file alone", async () => {
  const options = { claims: brokerClaims(openLookup(mesh)), folder: openKeyFolder(folder) };
  const seedOf = (text: string) => /\bSU[A-Z2-7]{56}\b/.exec(text)?.[0];
  const read = (file: string) => readFile(join(folder, file), "utf8");
  const before = { auth: await read("services/auth.creds"), sfs: await read("services/sfs.creds") };
  const { accounts, configuration } = await issueCredentials({ ...options, rotate: "sfs" });
  expect(await issueCredentials(options)).toMatchObject({ accounts });
  const after = { auth: await read("services/auth.creds"), sfs: await read("services/sfs.creds") };
  expect(seedOf(after.auth)).toBe(seedOf(before.auth));
  expect(seedOf(after.sfs)).not.toBe(seedOf(before.sfs));

  const nats = await startNats({ configuration: await read(configuration) });
  const login = (text: string) =>
    connect({
      servers: nats.url,
      authenticator: credsAuthenticator(Buffer.from(text)),
      reconnect: false,
      timeout: 3_000,
    });
  for (const text of [after.auth, after.sfs, before.auth]) await (await login(text)).close();
  await expect(login(before.sfs)).rejects.toThrow();
  await nats.remove();
});

test("what is secret may be read by its owner alone, and the server's configuration holds none", async () => {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) =>
    one.isFile(),
  );
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    expect((await stat(path)).mode & 0o077, path).toBe(0);
    if (!/[.](nk|creds)$/.test(name))
      expect(await readFile(path, "utf8")).not.toMatch(/\bS[OAU][A-Z2-7]{56}\b/);
  }
});
