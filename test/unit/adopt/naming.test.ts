import { expect, test } from "vitest";
import { adoptInto } from "../../../generator/cli/adopt/adopt-mesh.js";
import { findAdoptable } from "../../../generator/cli/adopt/adoptable-tables.js";
import { compile } from "../../support/compile.js";

test("fields of a table that is adopted into a mesh of camelCase are in camelCase, odd names included", () => {
  const column = (name: string, type: string, notNull: boolean) => ({
    name,
    type,
    declared: type,
    typeKind: "b",
    notNull,
    defaulted: false,
    generated: false,
    comment: null,
  });
  const { tables } = findAdoptable([
    {
      schema: "public",
      name: "orders",
      kind: "r",
      inherited: false,
      comment: null,
      primaryKey: ["order_id"],
      uniques: [],
      indexes: [],
      foreignKeys: [],
      columns: [
        column("order_id", "text", true),
        column("Ship To", "text", false),
        column("CreatedBy", "text", true),
      ],
    },
  ] as never);
  const text = `mesh: shop
naming: camelCase
services:
  door: { database: door_db }
databases:
  door_db: { tables: { seats: { columns: { seat_id: { type: nanoid, key: true } } } } }
`;
  const adopted = adoptInto({
    text,
    mesh: compile(text),
    service: "shop",
    database: "shop_db",
    tables,
    meshName: "shop",
  });
  expect(adopted.text).toContain("payload: { orderId: string, shipTo: string?, createdBy: string }");
  const [created] = compile(adopted.text).events;
  expect(created?.payload.map(({ source }) => source)).toMatchObject([
    { column: "order_id", member: "orderId" },
    { column: "Ship To", member: "shipTo" },
    { column: "CreatedBy", member: "createdBy" },
  ]);
});
