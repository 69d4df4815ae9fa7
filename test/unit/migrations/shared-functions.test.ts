import { expect, test } from "vitest";
import { compile } from "../../support/compile.js";
import { plan } from "../../support/migrations.js";

const table = (more: string) => `
        key: [basket_id, number]
        soft_delete: voided_at
        ${more}
        columns: { basket_id: text, number: integer, due_at: timestamptz?, voided_at: timestamptz? }`;

test("a service that shares a database calls the functions of its own schema alone, for ids of several columns too", () => {
  const mesh = compile(`
mesh: odd
services: { shop: { database: shop_db }, billing: { database: billing_db, publishes: [billing.*] } }
databases:
  shop_db: { tables: { carts: { columns: { cart_id: { type: nanoid, key: true } } } } }
  billing_db:
    shares: shop_db
    schema: billing
    tables:
      invoices:${table("")}
      receipts:${table("existing: true")}
subjects:
  billing.invoice.{id}.written: { event: InvoiceWritten, emit: { table: invoices, on: insert }, payload: { number: integer } }
  billing.invoice.{id}.overdue: { event: InvoiceOverdue, emit: { table: invoices, at: due_at }, payload: { number: integer } }
  billing.receipt.{id}.printed: { event: ReceiptPrinted, emit: { table: receipts, on: insert }, payload: { number: integer } }
`);
  const sql = (plan(mesh, { service: "billing" }).files.billing ?? []).map(({ text }) => text).join("\n");
  expect(sql.match(/(?<![\w.])mesh\.\w+\(?/g)?.filter((call) => call !== "mesh.yaml") ?? []).toEqual([]);
  expect(sql.match(/mesh_billing_db\.id_part\(/g)?.length).toBeGreaterThan(6);
});
