import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, credsAuthenticator, type NatsConnection } from "nats";
import { parseDocument } from "yaml";
import { provision } from "../../generator/dev/provisioning.js";
import { brokerClaims } from "../../generator/emit/documents/broker-claims.js";
import { passwordVariableOf } from "../../generator/emit/documents/nats-conf.js";
import { openLookup } from "../../generator/emit/lookup.js";
import type { Mesh, Service } from "../../generator/model/mesh.js";
import { CONFIGURATION, issueCredentials } from "../../generator/project/issue-credentials.js";
import { openKeyFolder } from "../../generator/project/key-folder.js";
import type { BrokerLogin } from "../../runtime/broker/login.js";
import { compile, ROOT } from "./compile.js";
import { emitAll } from "./emitted-files.js";
import { startNats, type TestNats } from "./servers.js";

/*
 * The reference mesh, and beside it whoever else there may be: a publisher and a subscriber written by hand, a service
 * that neither publishes nor hears anything, and one that hears itself. On a real broker, under the emitted nats.conf.
 */

export const OPERATOR = "mesh_operator";

export interface BrokerMesh {
  readonly mesh: Mesh;
  readonly nats: TestNats;
  /** Every subject of the account MESH. */
  readonly operator: NatsConnection;
  /** A plain NATS client, with the usual inbox where its permissions allow one. */
  connectAs(service: string): Promise<NatsConnection>;
  close(): Promise<void>;
}

export function meshOfAll(): Mesh {
  const document = parseDocument(readFileSync(join(ROOT, "mesh.yaml"), "utf8"));
  document.setIn(["services", "sfs", "subscribes"], ["auth.user.*", "sfs.file.*"]);
  document.setIn(["services", "legacy"], {
    external: true,
    publishes: ["legacy.*"],
    stream: { max_age: "1d", max_messages: 5_000 },
  });
  document.setIn(["services", "audit"], { external: true, subscribes: ["auth.*", "legacy.*"] });
  document.setIn(["services", "mute"], { external: true });
  document.setIn(["subjects", "legacy.thing.{id}.happened"], {
    event: "LegacyHappened",
    payload: { thing_id: "string" },
  });
  return compile(String(document));
}

/** `change` edits nats.conf, to show what happens without one of its mechanisms. */
export async function startBrokerMesh(
  change: (configuration: string) => string = (text) => text,
): Promise<BrokerMesh> {
  const mesh = meshOfAll();
  const users = [OPERATOR, ...mesh.services.map(({ name }) => name)];
  const nats = await startNats({
    configuration: change((await emitAll(mesh))["nats.conf"] ?? ""),
    env: Object.fromEntries(users.map((user) => [passwordVariableOf(user), `pw_${user}`])),
  });
  return await openBrokerMesh(mesh, nats, (user) => ({ user, password: `pw_${user}` }));
}

/** The same accounts as decentralised JWTs, whose keys are made in `folder`. */
export async function startJwtMesh(folder: string): Promise<BrokerMesh> {
  const mesh = meshOfAll();
  const keys = openKeyFolder(folder);
  const { creds } = await issueCredentials({ claims: brokerClaims(openLookup(mesh)), folder: keys });
  const nats = await startNats({ configuration: await readFile(join(folder, CONFIGURATION), "utf8") });
  return await openBrokerMesh(mesh, nats, (user) => ({
    creds: readFileSync(join(folder, creds[user] ?? ""), "utf8"),
  }));
}

async function openBrokerMesh(
  mesh: Mesh,
  nats: TestNats,
  login: (user: string) => Omit<BrokerLogin, "url">,
): Promise<BrokerMesh> {
  const clients: NatsConnection[] = [];
  const open = async (user: string, prefix?: string) => {
    const client = await connect({
      servers: nats.url,
      ...(login(user).creds === undefined
        ? { user, pass: login(user).password ?? "" }
        : { authenticator: credsAuthenticator(Buffer.from(login(user).creds ?? "")) }),
      ...(prefix === undefined ? {} : { inboxPrefix: prefix }),
    });
    clients.push(client);
    return client;
  };
  await provision(mesh, {
    login: { url: nats.url, ...login(OPERATOR) },
    replicas: 1,
    standIn: true,
    onNotice: (service, text) => {
      throw new Error(`${service}: ${text}`);
    },
  });
  return {
    mesh,
    nats,
    operator: await open(OPERATOR),
    connectAs: (service) => open(service, inboxOf(mesh, service)),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await nats.remove();
    },
  };
}

function inboxOf(mesh: Mesh, service: string): string | undefined {
  const external = mesh.services.find(({ name }) => name === service)?.external;
  return external ? undefined : `_INBOX_${service}`;
}

/** The subjects that a service may publish to, written by hand from the documentation. `x1` stands for any id. */
export function allowedFor(mesh: Mesh, service: Service): readonly string[] {
  const own = mesh.events
    .filter((event) => event.service === service.name)
    .map(({ entity, action }) => `${service.name}.${entity}.x1.${action}`);
  const stream =
    service.stream === undefined
      ? []
      : [`$JS.API.STREAM.INFO.${service.stream}`, `$JS.API.STREAM.MSG.GET.${service.stream}`];
  const heard = service.consumers.flatMap(({ stream: from, durable }) => [
    `$JS.API.STREAM.INFO.${from}`,
    `$JS.API.CONSUMER.INFO.${from}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${from}.${durable}`,
    ackOf(from, durable),
    `$JS.ACK.hub.Hash.${from}.${durable}.1.1.1.1700000000000000000.0.token`,
  ]);
  return [...new Set([...own, ...stream, ...heard])];
}

export function ackOf(stream: string, durable: string, seq = 1): string {
  return `$JS.ACK.${stream}.${durable}.1.${seq}.${seq}.1700000000000000000.0`;
}

/** Every subject that somebody could want: the events of all, every call about every stream and durable, and the broker's own. */
export function everySubject(mesh: Mesh): readonly string[] {
  const events = mesh.events.map(({ service, entity, action }) => `${service}.${entity}.x1.${action}`);
  const unheard = mesh.services.flatMap(({ name }) => [
    `${name}.user.x1.created`,
    `${name}.other.x1.forged`,
    `${name}.x1`,
  ]);
  const streams = mesh.streams.flatMap(({ name }) => STREAM_CALLS.map((call) => `$JS.API.${call}.${name}`));
  const durables = mesh.services.flatMap(({ consumers }) =>
    consumers.flatMap(({ stream, durable }) => [
      ...DURABLE_CALLS.map((call) => `$JS.API.${call}.${stream}.${durable}`),
      `$JS.API.CONSUMER.CREATE.${stream}.${durable}.auth.user.*.*`,
      `$JS.API.CONSUMER.CREATE.${stream}`,
      `$JS.FC.${stream}.${durable}.1`,
      ackOf(stream, durable),
      `$JS.ACK.hub.Hash.${stream}.${durable}.1.1.1.1700000000000000000.0.token`,
      `JS.MESH.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
      `JS.MESH.API.CONSUMER.DELETE.${stream}.${durable}`,
    ]),
  );
  const there = mesh.streams.flatMap(({ name }) => [
    `JS.MESH.API.STREAM.DELETE.${name}`,
    `JS.MESH.API.STREAM.INFO.${name}`,
  ]);
  return [...new Set([...events, ...unheard, ...streams, ...durables, ...there, ...BROKER])];
}

const STREAM_CALLS = [
  ..."INFO CREATE UPDATE DELETE PURGE MSG.GET MSG.DELETE SNAPSHOT RESTORE PEER.REMOVE LEADER.STEPDOWN"
    .split(" ")
    .map((call) => `STREAM.${call}`),
  "CONSUMER.NAMES",
  "CONSUMER.LIST",
  "DIRECT.GET",
];
const DURABLE_CALLS = "INFO DELETE DURABLE.CREATE MSG.NEXT LEADER.STEPDOWN PAUSE UNPIN RESET"
  .split(" ")
  .map((call) => `CONSUMER.${call}`);
const BROKER = [
  "$JS.API.INFO",
  "$JS.API.STREAM.NAMES",
  "$JS.API.STREAM.LIST",
  "$JS.API.ACCOUNT.PURGE.MESH",
  "$JS.API.META.LEADER.STEPDOWN",
  "$JS.API.SERVER.REMOVE",
  "$JS.hub.API.STREAM.DELETE.AUTH",
  "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.AUTH.sfs_auth_user",
  "$SYS.REQ.SERVER.PING",
  "$SYS.REQ.USER.INFO",
  "$SYS.REQ.ACCOUNT.MESH.CONNZ",
  "$SRV.PING",
  "$KV.settings.key",
  "$O.files.C.x",
  "$MQTT.msgs.x",
  "_INBOX.x1",
  "_INBOX_sfs.x1",
  "_INBOX_mesh_operator.x1",
  "_R_.x1.y1",
  "anything",
];
