import pg from "pg";
import { expect, inject, test } from "vitest";
import type { ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../runtime/definition/table-definition.js";
import { JsonBody, readBody } from "../../runtime/http/body.js";
import { buildModel } from "../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../runtime/inbox/parse.js";
import { createComparison } from "../../runtime/operate/compare.js";
import { meshMigrations } from "../../runtime/schema/files.js";
import type { ColumnType } from "../../runtime/values/column-types.js";
import { columnTypeForms, columnTypeNames, factsOf } from "../../runtime/values/column-types.js";
import { streamPlan } from "../support/broker-plans.js";
import { eventDefinition } from "../support/event-definition.js";
import { createDatabase } from "../support/servers.js";

/*
 * A column called as what every object inherits, of which a message, a request or a source says nothing.
 */

const NAME = "constructor";
const TYPES = [...columnTypeNames, ...columnTypeForms];

function tableOf(type: ColumnType): TableDefinition {
  return {
    name: "inherited",
    key: "id",
    cacheOf: "a.b",
    columns: [
      { name: "id", type: "text" },
      { name: NAME, type, nullable: true, ...(type === "bigint" && { wide: true }) },
    ],
  };
}

function consumerOf(cache: TableDefinition): ConsumerDefinition {
  return {
    durable: "c_a_b",
    stream: streamPlan({ name: "A" }),
    filter: "a.b.*.*",
    entity: "a.b",
    cache,
    delivery: { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 1, maxAckPending: 1, batch: 1 },
    events: [
      {
        event: eventDefinition({
          name: "BCreated",
          entity: "b",
          action: "created",
          change: "create",
          fields: ["id", NAME],
        }),
      },
    ],
  };
}

test.each(TYPES)("a message without it is an event, where its column is %s", (type) => {
  const metadata = { event_id: "1", entity_id: "x", timestamp: 0, source: "a" };
  const body = Buffer.from(JSON.stringify({ metadata, id: "x" }));
  const message = { stream: "A", seq: 1, time: new Date(0), subject: "a.b.x.created", headers: {}, body };
  expect(parseMessage(buildModel(consumerOf(tableOf(type))), message, 1)).toMatchObject({ ok: true });
});

test.each(TYPES)("a request without it sets nothing, where its column is %s", (type) => {
  const body = readBody(new JsonBody('{"id":"x"}', { id: "x" }), tableOf(type), undefined);
  expect(Object.entries(body)).toEqual([["id", "x"]]);
});

test.each(TYPES)("a source without it is compared, where its column is %s", async (type) => {
  const client = new pg.Client({ connectionString: await createDatabase(inject("postgres"), "inherited") });
  await client.connect();
  try {
    const table = tableOf(type);
    await client.query(`CREATE SCHEMA mesh; ${meshMigrations.map(({ text }) => text).join("\n")}`);
    await client.query(`CREATE TABLE inherited (id text PRIMARY KEY, "${NAME}" ${factsOf(type).sql})`);
    await client.query("INSERT INTO inherited VALUES ('x', NULL)");
    const comparison = await createComparison(client, table, consumerOf(table));
    await comparison.add([{ id: "x" }]);
    await comparison.finish();
    await comparison.confirm();
    expect(await comparison.count()).toEqual({
      missing: 0,
      extra: 0,
      differing: 0,
      unfit: 0,
      ahead: 0,
      dangling: 0,
    });
  } finally {
    await client.end();
  }
});
