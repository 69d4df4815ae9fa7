import { expect, test } from "vitest";
import { adoptInto } from "../../../generator/cli/adopt/adopt-mesh.js";
import { findAdoptable } from "../../../generator/cli/adopt/adoptable-tables.js";
import { entityOf, snakeCase } from "../../../generator/cli/adopt/mesh-names.js";
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

test.each([
  ["Order Details", "order_details"],
  ["userAccounts", "user_accounts"],
  ["CRMAccount", "crm_account"],
  ["OrderIDs", "order_ids"],
  ["HTTP", "http"],
  ["1table", "t_1table"],
  ["значение", "column"],
])("%s is called %s", (name, called) => {
  expect(snakeCase(name, "column")).toBe(called);
});

test("an entity has the words of its row, of one letter too", () => {
  expect(["OrderLine", "ARing", "User"].map(entityOf)).toEqual(["order_line", "a_ring", "user"]);
});
