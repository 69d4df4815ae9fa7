import { describe, expect, it } from "vitest";
import { inMeshSchema, madeInMeshSchema } from "../../../runtime/database/mesh-schema.js";

describe("SQL of the runtime for a service that shares a database", () => {
  it.each([
    ["SELECT mesh.home() FROM mesh.outbox", "SELECT mesh_b.home() FROM mesh_b.outbox"],
    ["SELECT to_regclass('mesh.place')", "SELECT to_regclass('mesh_b.place')"],
    [
      "SELECT to_regnamespace('mesh'), 'mesh'::regnamespace",
      "SELECT to_regnamespace('mesh_b'), 'mesh_b'::regnamespace",
    ],
    ["DROP SCHEMA mesh CASCADE", "DROP SCHEMA mesh_b CASCADE"],
    [
      "CREATE SCHEMA IF NOT EXISTS mesh; COMMENT ON SCHEMA mesh IS 'mesh'",
      "CREATE SCHEMA IF NOT EXISTS mesh_b; COMMENT ON SCHEMA mesh_b IS 'mesh'",
    ],
    ["LISTEN mesh_outbox", "LISTEN mesh_b_outbox"],
    [
      "SELECT pg_notify('mesh_outbox', '') FROM mesh.relay",
      "SELECT pg_notify('mesh_b_outbox', '') FROM mesh_b.relay",
    ],
    ["SELECT $1 || 'it''s mesh.applied', mesh.clock()", "SELECT $1 || 'it''s mesh.applied', mesh_b.clock()"],
  ])("%s", (sql, expected) => {
    expect(inMeshSchema(sql, "mesh_b")).toBe(expected);
    expect(inMeshSchema(sql, "mesh")).toBe(sql);
    expect(inMeshSchema(inMeshSchema(sql, "mesh_b"), "mesh_b")).toBe(expected);
  });

  it.each([
    'SELECT "mesh.applied" FROM "mesh"',
    "SELECT 'mesh.applied', 'mesh'",
    "SELECT a.mesh, b_mesh.c FROM mesh",
  ])("%s is left as it is", (sql) => {
    expect(inMeshSchema(sql, "mesh_b")).toBe(sql);
  });

  it("is made there whole, the texts of its functions too", () => {
    expect(
      madeInMeshSchema(
        "CREATE SCHEMA mesh; COMMENT ON TABLE mesh.a IS 'as mesh.b, where mesh.yaml says; mesh dlq'; DO $$ format('mesh.%I', 'mesh'::regnamespace) pg_notify('mesh_outbox') $$",
        "mesh_b",
      ),
    ).toBe(
      "CREATE SCHEMA mesh_b; COMMENT ON TABLE mesh_b.a IS 'as mesh_b.b, where mesh.yaml says; mesh dlq'; DO $$ format('mesh_b.%I', 'mesh_b'::regnamespace) pg_notify('mesh_b_outbox') $$",
    );
  });
});
