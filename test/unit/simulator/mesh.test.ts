import { expect, test } from "vitest";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import { describeMesh } from "../../../simulator/describe-mesh.js";
import type { Samples } from "../../../simulator/mesh.js";
import type { SimulatedDatabase } from "../../../simulator/postgres/databases.js";
import { keyOf, valueFor } from "../../../simulator/values.js";

/** A service whose service, table and column names every JavaScript object inherits. */
const definition = {
  name: "constructor",
  tables: [
    {
      name: "constructor",
      key: "name",
      columns: [
        { name: "name", type: "text" },
        { name: "length", type: "text" },
      ],
    },
  ],
  consumers: [],
} as unknown as ServiceDefinition;

async function describeTable(samples?: Samples) {
  // Its tables have no foreign keys.
  const database = { query: async () => [] } as unknown as SimulatedDatabase;
  const { tables } = await describeMesh(
    [{ definition, database, env: {} }],
    samples === undefined ? {} : { samples },
  );
  const [table] = tables;
  const column = table?.columns[0];
  if (table === undefined || column === undefined) throw new Error("the table is missing");
  return { table, column };
}

test("values for inherited names are made up, not read from Object.prototype", async () => {
  const { table, column } = await describeTable();
  expect([keyOf(table, 0), valueFor(table, column, 2)]).toEqual(["constructor-1", "length-2"]);
});

test("samples for inherited names are used", async () => {
  const samples = { constructor: { constructor: { name: ["k0", "k1"], length: ["a", "b"] } } };
  const { table, column } = await describeTable(samples as unknown as Samples);
  expect([keyOf(table, 1), valueFor(table, column, 3)]).toEqual(["k1", "b"]);
});

test("rows are written that enter a partial copy and leave it, by values that no type tells", async () => {
  const columns = [
    { name: "id", type: "text" },
    { name: "state", type: "text" },
    { name: "ended", type: "text", nullable: true },
  ];
  const owner = {
    name: "shop",
    tables: [{ name: "items", key: "id", entity: "item", columns }],
    consumers: [],
  };
  const where = [
    { column: "state", values: ["listed", "held"] },
    { column: "ended", isNull: true },
  ];
  const subscriber = {
    name: "door",
    tables: [],
    consumers: [{ entity: "shop.item", stream: {}, cache: { where, columns }, events: [] }],
  };
  const database = { query: async () => [] } as unknown as SimulatedDatabase;
  const services = [owner, subscriber].map((definition) => ({
    definition: definition as unknown as ServiceDefinition,
    database,
    env: {},
  }));
  const [items] = (await describeMesh(services)).tables;
  if (items === undefined) throw new Error("the table is missing");
  const written = items.columns.map((column) => [0, 1, 2, 3].map((value) => valueFor(items, column, value)));
  expect(written).toEqual([
    ["state-0", "listed", "state-2", "held"],
    [null, null, "ended-2", null],
  ]);
});
