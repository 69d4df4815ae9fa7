import { randomUUID } from "node:crypto";
import { connect as connectSocket, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type BareClient, bareClient, startMesh, type TestMesh, waitFor } from "../support/reference-mesh.js";

/*
 * Whoever may write into a stream writes what no client of ours would: bytes straight into the broker's protocol. Every
 * such message is given up with its reason, or is the event of an entity of its own; and whatever a good owner says
 * meanwhile is applied, though its copy is killed in between.
 *
 * HOSTILE_MESSAGES says how many, 10000 for the whole of it; a tenth as many good ones are beside them.
 */

const HOSTILE = Number(process.env.HOSTILE_MESSAGES ?? 1_500);
const GOOD = Math.max(100, HOSTILE / 10);

let mesh: TestMesh;
let bare: BareClient;
let socket: Socket;
beforeAll(async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  bare = await bareClient(mesh.operatorUrl);
  const { hostname, port, username, password } = new URL(mesh.operatorUrl);
  socket = connectSocket(Number(port), hostname);
  socket.on("data", (data) => {
    if (data.includes("PING")) socket.write("PONG\r\n");
  });
  const login = { user: username, pass: password, verbose: false, headers: true, no_responders: false };
  socket.write(`CONNECT ${JSON.stringify(login)}\r\n`);
});
afterAll(async () => {
  socket?.destroy();
  await bare?.close();
  await mesh?.stop();
});

interface Hostile {
  readonly kind: string;
  readonly subject: string;
  readonly headers?: Buffer;
  readonly body: Buffer;
  /** The error of its dead letter; undefined for a valid event of an entity of its own. */
  readonly reason: RegExp | undefined;
}

/** A small repeatable random source. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const known: string[] = [randomUUID()];
const eventId = () => known[known.length - 1] ?? "";

/** A valid event with parts replaced in its text, for bodies that JSON.stringify cannot write. */
function eventText(id: string, parts: Readonly<Record<string, string>> = {}): string {
  const { metadata, event_id, entity_id, timestamp, source, version, user_id, username, more } = parts;
  const inner =
    metadata ??
    `{"event_id":${event_id ?? JSON.stringify(randomUUID())},"entity_id":${entity_id ?? JSON.stringify(id)},"timestamp":${timestamp ?? 1},"source":${source ?? '"auth-service"'},"version":${version ?? 1}}`;
  return `{"metadata":${inner},"user_id":${user_id ?? JSON.stringify(id)},"username":${username ?? JSON.stringify(id)},"display_name":"h"${more ?? ""}}`;
}

interface Chance {
  readonly roll: (below: number) => number;
  /** Counts the messages of a kind, so that each of its variants is sent. */
  readonly turn: number;
}

type Kind = (
  id: string,
  chance: Chance,
) => Omit<Hostile, "kind" | "subject"> & {
  readonly subject?: string;
};

const text = (body: string, reason: RegExp | undefined): ReturnType<Kind> => ({
  body: Buffer.from(body),
  reason,
});
const pick = <T>(from: readonly T[], turn: number): T => from[turn % from.length] as T;
const header = (...lines: readonly (string | Buffer)[]) =>
  Buffer.concat([
    Buffer.from("NATS/1.0\r\n"),
    ...lines.flatMap((line) => [Buffer.from(line), Buffer.from("\r\n")]),
    Buffer.from("\r\n"),
  ]);
const nested = (open: string, inner: string, close: string, depth: number) =>
  open.repeat(depth) + inner + close.repeat(depth);

const KINDS: Readonly<Record<string, Kind>> = {
  "truncated JSON": (id, { roll }) => {
    const whole = eventText(id);
    return text(whole.slice(0, 1 + roll(whole.length - 1)), /^not JSON: /);
  },
  "random bytes": (_, { roll }) => ({
    body: Buffer.from(Array.from({ length: 1 + roll(300) }, () => roll(256))),
    reason: /^(not JSON|not UTF-8|not a valid)/,
  }),
  empty: () => text("", /^empty message$/),
  "no object": (_, { turn }) =>
    text(pick(["null", "1", "true", '"x"', "[]", "[{}]", "1e999"], turn), /^not a valid UserCreated: /),
  "wrong types": (id, { turn }) => {
    const wrong = pick(["1", "null", "[]", "{}", "true"], turn);
    const field = pick(["user_id", "username", "event_id", "entity_id", "source", "metadata"], turn);
    return text(
      eventText(id, { [field]: wrong }),
      new RegExp(`^not a valid UserCreated: .*${field === "metadata" ? "metadata" : ""}`),
    );
  },
  "missing metadata": (id) =>
    text(JSON.stringify({ user_id: id, username: id, display_name: "h" }), /required property 'metadata'/),
  "missing fields": (id) =>
    text(
      `{"metadata":${JSON.stringify({ event_id: "x", entity_id: id, timestamp: 1, source: "x" })}}`,
      /required property 'user_id' \(and 2 more\)/,
    ),
  "bad version": (id, { turn }) =>
    text(
      eventText(id, {
        version: pick(
          [
            "0",
            "-1",
            "1.5",
            "9007199254740991",
            "9007199254740993",
            "4503599627370497",
            "1e308",
            "1e400",
            '"1"',
            "null",
            "[]",
            "true",
            "-0",
          ],
          turn,
        ),
      }),
      /\/metadata\/version must be/,
    ),
  "bad timestamp": (id, { turn }) =>
    text(
      eventText(id, { timestamp: pick(['"1"', "1.5", "null", "1e400"], turn) }),
      /\/metadata\/timestamp must be/,
    ),
  "huge number": (id, { roll }) =>
    text(eventText(id, { user_id: `${roll(9) + 1}${"0".repeat(400)}` }), /\/user_id must be string/),
  "deep arrays": (id, { turn }) =>
    text(
      eventText(id, { username: nested("[", "", "]", pick([1_000, 10_000, 100_000], turn)) }),
      /\/username must be string/,
    ),
  "deep objects": (_, { turn }) =>
    text(nested('{"metadata":', "1", "}", pick([1_000, 10_000, 50_000], turn)), /^not a valid UserCreated: /),
  "deep root": (_, { turn }) =>
    text(nested("[", "", "]", pick([10_000, 200_000], turn)), /^not a valid UserCreated: /),
  "deep and open": () => text("[".repeat(100_000), /^not JSON: /),
  __proto__: (id) =>
    text(
      `{"__proto__":{"metadata":{"event_id":"x","entity_id":"x","timestamp":1,"source":"x"},"user_id":"${id}","username":"x","display_name":""}}`,
      /required property 'metadata'/,
    ),
  "invalid UTF-8": (id, { roll, turn }) => {
    const body = Buffer.from(eventText(id));
    body[body.length - 5 - roll(20)] = pick([0xff, 0xc0, 0x80, 0xfe], turn);
    return { body, reason: /^not UTF-8$/ };
  },
  "NUL in an id": (id) => text(eventText(id, { user_id: `"${id}\\u0000"` }), /its id holds a NUL/),
  "NUL in a text": (id) => text(eventText(id, { username: `"${id}\\u0000"` }), /\/username has a NUL/),
  "half a surrogate pair": (id) =>
    text(eventText(id, { username: `"${id}\\ud800"` }), /\/username has half of a surrogate pair/),
  "a long id": (id) =>
    text(eventText(id, { user_id: `"${id}${"x".repeat(3_000)}"` }), /its id has \d+ bytes/),
  "unknown action": (id) => ({
    ...text(eventText(id), /^unknown action "/),
    subject: `auth.user.${id}.${"exploded".repeat(1 + (id.length % 5))}`,
  }),
  "headers that nobody reads": (id, { turn }) => ({
    body: Buffer.from("not JSON"),
    headers: pick(
      [
        header("no colon at all"),
        header("Half: a\nline break"),
        header("Half: a\rreturn"),
        header(": no name"),
        header("__proto__: x", "constructor: y"),
        header("Letters: \\u0000 and \\"),
        header(Buffer.from([0x58, 0x3a, 0x20, 0xff, 0xfe, 0x00, 0x41])),
        header(`Large: ${"x".repeat(50_000)}`),
        header(...Array.from({ length: 500 }, (_, at) => `H${at}: ${id}`)),
        Buffer.from("NATS/1.0 404 No Messages\r\n\r\n"),
        Buffer.from("NATS/1.0 503\r\n\r\n"),
        Buffer.from("garbage\r\n\r\n"),
        header("Nats-Pending-Messages: 9", "Nats-Consumer-Stalled: x"),
      ],
      turn,
    ),
    reason: /^not JSON: /,
  }),
  // Valid events of entities of their own.
  "an id that collides": (id) => text(eventText(id, { event_id: JSON.stringify(eventId()) }), undefined),
  "another id in the body": (id) => text(eventText(id, { entity_id: '"somebody else"' }), undefined),
  "another source": (id) => text(eventText(id, { source: '"sfs-service"' }), undefined),
  "a timestamp to come": (id) => text(eventText(id, { timestamp: "99999999999" }), undefined),
  "twice the same key": (id) =>
    text(eventText(id, { more: `,"display_name":1,"display_name":"twice"` }), undefined),
  "the highest version": (id) => text(eventText(id, { version: "4503599627370496" }), undefined),
};

function makeHostile(count: number): readonly Hostile[] {
  const roll = random(42);
  const kinds = Object.entries(KINDS);
  return Array.from({ length: count }, (_, at) => {
    const [kind, make] = kinds[at % kinds.length] as [string, Kind];
    const id = `hostile-${at}`;
    return {
      kind,
      subject: `auth.user.${id}.created`,
      ...make(id, { roll, turn: Math.floor(at / kinds.length) }),
    };
  });
}

function send({ subject, headers, body }: Pick<Hostile, "subject" | "headers" | "body">): void {
  const head =
    headers === undefined
      ? `PUB ${subject} ${body.length}\r\n`
      : `HPUB ${subject} ${headers.length} ${headers.length + body.length}\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), headers ?? Buffer.alloc(0), body, Buffer.from("\r\n")]));
}

const good = async () =>
  (await mesh.databases.auth.query("SELECT user_id, username, display_name FROM users ORDER BY 1")).rows;
const copied = async () =>
  (
    await mesh.databases.sfs.query(
      "SELECT user_id, username, display_name FROM user_cache WHERE user_id NOT LIKE 'hostile-%' ORDER BY 1",
    )
  ).rows;
const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

it("are dead letters as poison, each with its reason, and all valid messages beside them are applied", async () => {
  const all = makeHostile(HOSTILE);
  const { auth } = mesh.databases;
  const batches = 20;
  for (let batch = 0; batch < batches; batch += 1) {
    const from = Math.floor((batch * all.length) / batches);
    for (const one of all.slice(from, Math.floor(((batch + 1) * all.length) / batches))) send(one);
    await auth.query(
      `INSERT INTO users (user_id, username, display_name)
SELECT 'good-' || $1 || '-' || i, 'good ' || $1 || ' ' || i, 'first' FROM generate_series(1, $2::int) AS i`,
      [batch, Math.ceil(GOOD / batches)],
    );
    await auth.query("UPDATE users SET display_name = 'changed ' || $1 WHERE random() < 0.2", [batch]);
    const { rows } = await auth.query<{ event_id: string }>("SELECT event_id FROM mesh.outbox LIMIT 1");
    if (rows[0] !== undefined) known.push(rows[0].event_id);
    // An unsolicited redelivery of a random message.
    send({ subject: `$JS.ACK.AUTH.sfs_auth_user.1.${from + 1}.${from + 1}.0.0`, body: Buffer.from("-NAK") });
    if (batch % 7 === 3) {
      await mesh.services.sfs.kill();
      await mesh.services.sfs.start();
    }
    await pause(20);
  }
  // What the killed ones had in hand comes back within seconds.
  await bare.jsm.consumers.update("AUTH", "sfs_auth_user", { ack_wait: 2_000_000_000 });
  await auth.query("DELETE FROM users WHERE user_id LIKE 'good-3-%'");
  await waitFor(async () => (await auth.query("SELECT FROM mesh.outbox")).rowCount === 0, {
    timeoutMs: 60_000,
  });
  await waitFor(
    async () => {
      const { num_pending, num_ack_pending } = await bare.jsm.consumers.info("AUTH", "sfs_auth_user");
      return num_pending === 0 && num_ack_pending === 0;
    },
    { timeoutMs: 300_000, everyMs: 200, what: "everything to be settled" },
  );
  const [wanted, found] = [await good(), await copied()];
  expect(wanted.length).toBeGreaterThan(GOOD * 0.9);
  expect(found).toEqual(wanted);

  const { rows: letters } = await mesh.databases.sfs.query<{ subject: string; error: string }>(
    "SELECT subject, error FROM mesh.dead_letter",
  );
  const reasons = new Map(letters.map(({ subject, error }) => [subject, error]));
  const wrong = all.flatMap(({ kind, subject, reason }) => {
    const said = reasons.get(subject);
    const isRight = reason === undefined ? said === undefined : reason.test(said ?? "");
    return isRight ? [] : [`${kind}: ${subject.slice(0, 60)}: ${said}`];
  });
  expect(wrong).toEqual([]);
  expect(letters).toHaveLength(all.filter(({ reason }) => reason !== undefined).length);
  // A snapshot may have removed their rows, since the source has no such users.
  const heard = "SELECT FROM mesh.applied WHERE entity = 'auth.user' AND entity_id LIKE 'hostile-%'";
  const applied = await mesh.databases.sfs.query(heard);
  expect(applied.rowCount).toBe(all.filter(({ reason }) => reason === undefined).length);
  expect(mesh.services.sfs.log.filter((line) => / at .*\.[jt]s:\d+/.test(line))).toEqual([]);
}, 600_000);
