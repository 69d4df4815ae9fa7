import { expect, test } from "vitest";
import { adoptInto } from "../../../generator/cli/adopt/adopt-mesh.js";
import { findAdoptable } from "../../../generator/cli/adopt/adoptable-tables.js";

const column = (name: string, declared: string, more: { notNull?: boolean; defaulted?: boolean } = {}) => ({
  name,
  type: declared,
  declared,
  typeKind: "b",
  notNull: false,
  defaulted: false,
  generated: false,
  comment: null,
  ...more,
});
const MOMENT = "timestamp with time zone";
const table = (name: string, deletion: ReturnType<typeof column>) => ({
  schema: "public",
  name,
  kind: "r",
  inherited: false,
  comment: null,
  primaryKey: ["id"],
  uniques: [],
  indexes: [],
  foreignKeys: [],
  columns: [column("id", "bigint", { notNull: true }), deletion],
});

test("takes a nullable moment called deleted_at for a soft deletion, and no payload shows it", () => {
  const { tables } = findAdoptable([
    table("notes", column("deleted_at", MOMENT)),
    table("users", column("deletedAt", "timestamp without time zone")),
    table("logs", column("deleted_at", MOMENT, { notNull: true })),
    table("tags", column("removed_at", MOMENT, { defaulted: true })),
    table("jobs", column("deleted_at", "integer")),
  ] as never);
  expect(tables.map(({ table: name, softDelete }) => [name, softDelete])).toEqual([
    ["notes", "deleted_at"],
    ["users", "deletedAt"],
    ["logs", undefined],
    ["tags", undefined],
    ["jobs", undefined],
  ]);
  const { text } = adoptInto({
    text: undefined,
    mesh: undefined,
    service: "shop",
    database: "shop_db",
    tables: tables.slice(0, 1),
    meshName: "m",
  });
  expect(text).toContain("      notes:\n        soft_delete: deleted_at\n");
  expect(text).toContain("emit: { table: notes, on: insert }\n    payload: { id: bigint }\n");
});
