import fc from "fast-check";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { verifyCache } from "../../../runtime/operate/verify.js";
import { readUnfit } from "../../../runtime/resync/unfit-rows.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { eventDefinition } from "../../support/event-definition.js";
import { type LogLine, recordingLogger } from "../../support/loggers.js";
import { readSnapshot } from "../../support/read-snapshot.js";
import {
  createPool,
  createServiceDatabase,
  type UserHooks,
  userConsumer,
} from "../../support/user-consumer.js";

/*
 * A source that sends rubbish among its rows: what can be taken is taken, what is gone goes, and the rest is named.
 */

const TABLE = `CREATE TABLE thing_cache (
  thing_id TEXT PRIMARY KEY, label TEXT UNIQUE, count INTEGER NOT NULL DEFAULT 0, big BIGINT, ratio DOUBLE PRECISION,
  live BOOLEAN NOT NULL, token UUID, due TIMESTAMPTZ, doc JSONB, colour TEXT CHECK (colour IN ('red', 'blue')),
  checked TEXT CHECK (checked <> 'refused'))`;

const thingCache: TableDefinition = {
  name: "thing_cache",
  key: "thing_id",
  cacheOf: "auth.user",
  columns: [
    { name: "thing_id", type: "text" },
    { name: "label", type: "text", unique: true, nullable: true },
    { name: "count", type: "integer", defaulted: true },
    { name: "big", type: "bigint", nullable: true },
    { name: "ratio", type: "number", nullable: true },
    { name: "live", type: "boolean" },
    { name: "token", type: "uuid", nullable: true },
    { name: "due", type: "timestamp", nullable: true },
    { name: "doc", type: "json", nullable: true },
    { name: "colour", type: "text", nullable: true, oneOf: ["red", "blue"] },
    { name: "checked", type: "text", nullable: true },
  ],
};

function thingConsumer(hooks: UserHooks = {}): ConsumerDefinition {
  const fields = thingCache.columns.map(({ name }) => name);
  const base = userConsumer({ sync: true, hooks });
  return {
    ...base,
    cache: thingCache,
    events: base.events.map(({ event, handler }) => ({
      event: eventDefinition({ name: event.name, action: event.action, change: event.change, fields }),
      handler,
    })),
  };
}

let pool: pg.Pool;
let server: AnsweringServer;
/** The body, as it goes out: JSON has no word for much of what sources send. */
let body: string;

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  await pool.query(TABLE);
  server = await startAnswering((request, response) => {
    const found = request.url === "/api/users";
    response.writeHead(found ? 200 : 404).end(found ? body : "{}");
  });
});
afterAll(async () => {
  await server.close();
  await pool.end();
});
beforeEach(async () => {
  await pool.query(
    "INSERT INTO mesh.subscription (durable, stream, last_seq) VALUES ('compute_auth_user', 'AUTH', 1)",
  );
});
afterEach(async () => {
  await pool.query(
    "TRUNCATE thing_cache, user_cache, containers, mesh.applied, mesh.subscription, mesh.unfit_row",
  );
});

const env = () => ({
  AUTH_SERVICE_URL: server.url,
  SFS_TO_AUTH_KEY: "secret",
});

async function snapshot(definition = thingConsumer(), logger = recordingLogger()) {
  return await readSnapshot({
    pool,
    model: buildModel(definition),
    env: env(),
    logger,
    noteSeq: async () => 100,
  });
}

const verify = () => verifyCache({ pool, consumer: thingConsumer(), env: env(), settleMs: 10 });
const unfit = () => readUnfit(pool, "compute_auth_user", 1_000);

async function know(...ids: readonly string[]): Promise<void> {
  await pool.query(
    "INSERT INTO thing_cache (thing_id, live, checked) SELECT unnest($1::text[]), true, 'former'",
    [ids],
  );
  await pool.query(
    "INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq) SELECT 'auth.user', unnest($1::text[]), 1, true, 1",
    [ids],
  );
}

async function things(): Promise<ReadonlyMap<string, string | null>> {
  const { rows } = await pool.query<{ thing_id: string; checked: string | null }>(
    "SELECT thing_id, checked FROM thing_cache ORDER BY 1",
  );
  return new Map(rows.map(({ thing_id, checked }) => [thing_id, checked]));
}

const good = (id: string, more: object = {}) =>
  JSON.stringify({ thing_id: id, live: true, checked: "now", _version: 2, ...more });

/** Of one thing, each unfit in a way of its own. */
const RUBBISH: Readonly<Record<string, (id: string) => string>> = {
  "NaN as the word": (id) => `{"thing_id":${JSON.stringify(id)},"live":true,"ratio":NaN}`,
  "-Infinity as the word": (id) => `{"thing_id":${JSON.stringify(id)},"ratio":-Infinity,"live":true}`,
  "NaN as a text": (id) => good(id, { ratio: "NaN" }),
  "a number beyond any double": (id) => `{"thing_id":${JSON.stringify(id)},"live":true,"ratio":1e400}`,
  "a day that is none": (id) => good(id, { due: "2026-02-30T00:00:00Z" }),
  "a moment that is none": (id) => good(id, { due: "soon" }),
  "a jsonb with \\u0000": (id) => good(id, { doc: { a: ["\0"] } }),
  "a jsonb with half a character": (id) => good(id, { doc: "\ud800" }),
  "a text with NUL": (id) => good(id, { checked: "a\0b" }),
  "a text with half a character": (id) =>
    `{"thing_id":${JSON.stringify(id)},"live":true,"checked":"\\udfff"}`,
  "beyond 2^53": (id) => `{"thing_id":${JSON.stringify(id)},"live":true,"big":9007199254740993}`,
  "2^63 - 1": (id) => `{"thing_id":${JSON.stringify(id)},"live":true,"big":9223372036854775807}`,
  "beyond int4": (id) => good(id, { count: 2_147_483_648 }),
  "below int4": (id) => good(id, { count: -2_147_483_649 }),
  "half an integer": (id) => good(id, { count: 0.5 }),
  "a missing column": (id) => JSON.stringify({ thing_id: id }),
  "null where there must be a value": (id) => good(id, { live: null }),
  "a text for a boolean": (id) => good(id, { live: "true" }),
  "an unknown value of an enumeration": (id) => good(id, { colour: "green" }),
  "what a CHECK refuses": (id) => good(id, { checked: "refused" }),
  "no uuid": (id) => good(id, { token: "not-a-uuid" }),
  "a version that is a text": (id) => good(id, { _version: "9" }),
  "a negative version": (id) => good(id, { _version: -1 }),
  "a version and a half": (id) => good(id, { _version: 1.5 }),
  "a first version that is nonsense": (id) => good(id, { _first_version: {} }),
};

/** Elements that name nobody. */
const NAMELESS = [
  "null",
  "5",
  '"text"',
  "[]",
  "{}",
  "NaN",
  '{"thing_id":null,"live":true}',
  '{"thing_id":{},"live":true}',
  '{"thing_id":"a\\u0000b","live":true}',
  `{"thing_id":"${"x".repeat(3_000)}","live":true}`,
  '{"live":true}',
  "{what is this}",
];

describe("a row that a snapshot cannot take", () => {
  it.each(Object.entries(RUBBISH))("is set aside: %s", async (_, print) => {
    await know("bad", "gone", "stale");
    body = `[${good("new")},${print("bad")},${good("stale")}]`;
    expect(await snapshot()).toMatchObject({ rows: 3, written: 2, removed: 1, unfit: 1, failed: 0 });
    expect(await things()).toEqual(
      new Map([
        ["bad", "former"],
        ["new", "now"],
        ["stale", "now"],
      ]),
    );
    expect(await unfit()).toMatchObject([{ ordinal: 2, id: "bad" }]);
    expect((await verify()).sample).toMatchObject([{ key: "bad" }]);
    body = `[${good("new")},${good("stale")},${good("bad")}]`;
    expect(await snapshot()).toMatchObject({ unfit: 0 });
    expect(await unfit()).toEqual([]);
    expect(await verify()).toMatchObject({ unfit: 0, missing: 0, extra: 0, differing: 0 });
  });

  it.each(NAMELESS)("is set aside, and is nobody's: %s", async (element) => {
    await know("gone", "stale");
    body = `[${good("new")},${element},${good("stale")}]`;
    expect(await snapshot()).toMatchObject({ rows: 3, written: 2, removed: 1, unfit: 1 });
    expect([...(await things()).keys()]).toEqual(["new", "stale"]);
    expect(await unfit()).toMatchObject([{ ordinal: 2, id: null }]);
    expect(await verify()).toMatchObject({ unfit: 1, sample: [{ key: "element 2", finding: "unfit" }] });
  });

  it("is told from bytes that are no UTF-8", async () => {
    const chunks = [
      `[${good("new")},`,
      `{"thing_id":"bad","live":true,"checked":"\xff"}`,
      `,${good("last")}]`,
    ];
    const bytes = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk, "latin1")));
    const served = await startAnswering((_, response) => response.end(bytes));
    await know("bad");
    const outcome = readSnapshot({
      pool,
      model: buildModel(thingConsumer()),
      env: { ...env(), AUTH_SERVICE_URL: served.url },
      logger: recordingLogger(),
      noteSeq: async () => 100,
    });
    expect(await outcome).toMatchObject({ unfit: 1, written: 2, removed: 0 });
    await served.close();
    expect(await unfit()).toMatchObject([{ id: "bad", reason: "not UTF-8" }]);
  });

  it("is one of two with the same key, near or far apart", async () => {
    body = `[${good("a", { checked: "one" })},${good("b")},${good("a", { checked: "two" })}]`;
    expect(await snapshot()).toMatchObject({ rows: 3, unfit: 1 });
    expect(await unfit()).toMatchObject([
      { ordinal: 1, id: "a", reason: "another element has the same key" },
    ]);
    expect((await things()).get("a")).toBe("two");
    const many = Array.from({ length: 7_000 }, (_, at) => good(`n${at}`, { _version: undefined }));
    body = `[${[good("a", { checked: "one" }), ...many, good("a", { checked: "two" })].join()}]`;
    expect(await snapshot()).toMatchObject({ rows: 7_002, unfit: 1 });
    expect(await unfit()).toMatchObject([{ id: "a", reason: "another element has the same key" }]);
    expect((await things()).get("a")).toBe("two");
  });

  it("unique conflict: is one of two that claim one unique value; no row gets a placeholder value", async () => {
    await know("c");
    body = `[${good("a", { label: "x" })},${good("b", { label: "x" })},${good("c", { label: "y" })}]`;
    expect(await snapshot()).toMatchObject({ rows: 3, unfit: 1, written: 2 });
    const { rows } = await pool.query("SELECT thing_id, label FROM thing_cache ORDER BY 1");
    expect(rows).toEqual([
      { thing_id: "a", label: "x" },
      { thing_id: "c", label: "y" },
    ]);
    expect(await unfit()).toMatchObject([
      { id: "b", reason: "label of b is also that of a, and must be unique" },
    ]);
    expect(await snapshot()).toMatchObject({ unfit: 1, written: 0, removed: 0 });
  });

  it("is one whose hook throws, or hides an error of its own statement, also of a deletion", async () => {
    await know("gone", "stays");
    const hooks: UserHooks = {
      created: async ({ event, tx }) => {
        const { thing_id } = event as unknown as { thing_id: string };
        if (thing_id === "throws") throw new Error("no");
        if (thing_id === "hides") await tx.query("SELECT 1 / 0").catch(() => undefined);
      },
      deleted: async () => {
        throw new Error("not gone");
      },
    };
    body = `[${["stays", "throws", "hides", "fine"].map((id) => good(id)).join()}]`;
    expect(await snapshot(thingConsumer(hooks))).toMatchObject({
      written: 2,
      removed: 0,
      unfit: 3,
      failed: 3,
    });
    expect([...(await things()).keys()]).toEqual(["fine", "gone", "stays"]);
    expect((await unfit()).map(({ id, reason }) => `${id}: ${reason}`)).toEqual([
      "throws: its hook failed: no",
      "hides: its hook failed: a hook went on after a statement of its own failed",
      "gone: its hook failed: not gone",
    ]);
  });

  it("empties no copy where all rows are like that, or most name nobody", async () => {
    await know("a", "b");
    const broken = RUBBISH["NaN as a text"];
    body = `[${broken?.("x")},${broken?.("y")}]`;
    await expect(snapshot()).rejects.toThrow(
      "nothing is taken for deleted, for not one of its rows can be taken: x: ratio",
    );
    body = `[${good("a")},null,{},5]`;
    await expect(snapshot()).rejects.toThrow("most of its rows name no entity: element 2: not an object");
    expect([...(await things()).keys()]).toEqual(["a", "b"]);
    const { rows } = await pool.query("SELECT snapshot_unfit, snapshot_error FROM mesh.subscription");
    expect(rows).toEqual([
      { snapshot_unfit: "3", snapshot_error: expect.stringContaining("name no entity") },
    ]);
    body = "[]";
    expect(await snapshot()).toMatchObject({ removed: 2 });
  });

  it("costs neither memory nor a line of the log each, however many there are", async () => {
    await know("gone");
    const broken = RUBBISH["NaN as a text"];
    body = `[${good("a")},${Array.from({ length: 40_000 }, (_, at) => broken?.(`u${at}`)).join()},${good("b")}]`;
    const lines: LogLine[] = [];
    expect(await snapshot(thingConsumer(), recordingLogger(lines))).toMatchObject({
      unfit: 40_000,
      removed: 1,
    });
    expect(await unfit()).toHaveLength(1_000);
    const warned = lines.filter((line) => JSON.stringify(line).includes("cannot be taken"));
    expect(warned).toHaveLength(1);
    expect(JSON.stringify(warned).length).toBeLessThan(5_000);
  });

  it("stops nothing, wherever it stands", { timeout: 120_000 }, async () => {
    const kinds = Object.values(RUBBISH);
    const element = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("good" as const), pick: fc.nat() }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("bad" as const), pick: fc.nat(kinds.length - 1) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("nameless" as const), pick: fc.nat(NAMELESS.length - 1) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(element, { minLength: 1, maxLength: 60 }),
        fc.array(fc.nat(80), { maxLength: 30 }),
        async (elements, places) => {
          await pool.query("TRUNCATE thing_cache, mesh.applied");
          const known = [...new Set(places)].map((place) => `t${place}`);
          await know(...known);
          const told = elements.map(({ kind, pick }, at) =>
            kind === "nameless"
              ? NAMELESS[pick]
              : kind === "bad"
                ? kinds[pick]?.(`t${at}`)
                : good(`t${at}`, { label: `l${pick} ${at}` }),
          );
          const idsOf = (kind: string) =>
            elements.flatMap((one, at) => (one.kind === kind ? [`t${at}`] : []));
          const [fit, bad] = [idsOf("good"), idsOf("bad")];
          body = `[${told.join()}]`;
          const nameless = elements.length - fit.length - bad.length;
          if (fit.length === 0 || nameless * 2 > elements.length) {
            await expect(snapshot()).rejects.toThrow("nothing is taken for deleted");
            expect([...(await things()).keys()]).toEqual(expect.arrayContaining(known));
            return;
          }
          expect(await snapshot()).toMatchObject({ rows: elements.length, unfit: bad.length + nameless });
          const expected = new Map([
            ...known.filter((id) => bad.includes(id)).map((id) => [id, "former"] as const),
            ...fit.map((id) => [id, "now"] as const),
          ]);
          expect(new Map([...(await things())].sort())).toEqual(new Map([...expected].sort()));
          expect((await unfit()).flatMap(({ id }) => id ?? []).sort()).toEqual([...bad].sort());
          const { unfit: named, missing, differing, extra } = await verify();
          // What only a CHECK refuses is another row here, or none.
          expect([named + missing + differing, extra]).toEqual([bad.length + nameless, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("without a cache", () => {
  function withoutCache(): ConsumerDefinition {
    const { cache, sync, ...rest } = userConsumer({ sync: true });
    return { ...rest, sync: { ...sync, key: "user_id" } as Required<ConsumerDefinition>["sync"] };
  }

  it("elements that cannot be read are set aside; what is told of is kept, what is not goes", async () => {
    await pool.query(`INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq)
      SELECT 'auth.user', unnest(ARRAY['told', 'odd', 'word', 'gone']), 1, true, 1`);
    await pool.query(
      "INSERT INTO containers (container_id, user_id) VALUES ('c', 'gone'), ('d', 'odd'), ('e', 'word')",
    );
    body = `[{"user_id":"told","_version":1},null,{"user_id":"odd","_version":"x"},{"user_id":"word","a":NaN},{"name":"who"},{"user_id":"new"}]`;
    expect(await snapshot(withoutCache())).toMatchObject({ rows: 6, written: 1, removed: 1, unfit: 4 });
    const { rows } = await pool.query("SELECT user_id FROM containers ORDER BY 1");
    expect(rows).toEqual([{ user_id: "odd" }, { user_id: "word" }]);
    expect((await unfit()).map(({ ordinal, id }) => [ordinal, id])).toEqual([
      [2, null],
      [3, "odd"],
      [4, "word"],
      [5, null],
    ]);
    body = `[null,{}]`;
    await expect(snapshot(withoutCache())).rejects.toThrow("nothing is taken for deleted");
  });
});
