import type { Report } from "../../diagnostics/report.js";
import type { TextNode } from "../../language/node.js";
import type { FieldSymbol } from "../../language/symbols.js";
import { madeName } from "../../language/words.js";
import { sharedSchema } from "../../model/names.js";
import type { Span } from "../../source/text.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** Names fit PostgreSQL and the generated folder, and do not take what is already there. */
export const checkIdentifiers: Rule = (program, report) => {
  for (const { name, span } of program.services.values()) {
    checkReserved(name, reservedServices, span, report);
    if (deviceName.test(name))
      report("reserved-name", span, { name, use: "Windows takes it for a device, not a folder" });
    checkPrefix(name, "PostgreSQL keeps roles of that prefix for itself", span, report);
    checkLength(name, span, report, {
      limit: 32,
      reason: "streams and consumers are named after their services",
    });
  }
  for (const { name, span, shares } of program.databases.values()) {
    checkReserved(name, reservedDatabases, span, report);
    checkPrefix(name, "PostgreSQL keeps roles of that prefix for itself", span, report);
    checkLength(
      name,
      span,
      report,
      shares === undefined
        ? { limit: 63, reason: "PostgreSQL cuts off the rest" }
        : {
            limit: 51,
            reason: "the schema of the mesh's tables and its channel of notifications are named after it",
          },
    );
  }
  for (const { name, subject, fields } of program.events) {
    const { entity, action } = subject.value;
    const reason = "files and consumers are named after it";
    checkLength(entity, subject.span, report, { limit: 128, reason });
    checkLength(action, subject.span, report, { limit: 128, reason });
    // One of its column's name is as long as that.
    for (const { name: field, span, source } of namesWithin(fields.values()))
      if (source !== undefined && !(source.kind === "column" && source.column === field))
        checkLength(field, span, report, { limit: 63, reason: "PostgreSQL cuts off the rest" });
    if (name === undefined) continue;
    checkLength(name.value, name.span, report, { limit: 128, reason });
    if (deviceName.test(name.value))
      report("reserved-name", name.span, {
        name: name.value,
        use: "Windows takes it for a device, not a file",
      });
  }
  const taken = new Set([
    "mesh",
    ...[...program.databases.values()].flatMap(({ name, shares }) =>
      shares === undefined ? [] : [sharedSchema(name)],
    ),
  ]);
  for (const { node } of program.databases.values()) checkSchema(node?.get.schema, taken, report);
  for (const { views } of program.databases.values()) {
    for (const { name, span, node, columns } of views.values()) {
      checkSchema(node?.get.schema, taken, report);
      for (const named of [
        { value: name, span },
        node?.get.view,
        ...[...columns.values()].map((column) => ({ value: column.name, span: column.span })),
      ])
        if (named !== undefined)
          checkLength(named.value, named.span, report, { limit: 63, reason: "PostgreSQL cuts off the rest" });
      checkPrefix(name, "PostgreSQL looks for it among its own catalogs first", span, report);
    }
  }
  for (const { table } of allTables(program)) {
    checkSchema(table.node?.get.schema, taken, report);
    const { table: known } = table.node?.get ?? {};
    if (known !== undefined)
      checkLength(known.value, known.span, report, { limit: 63, reason: "PostgreSQL cuts off the rest" });
    checkPrefix(table.name, "PostgreSQL looks for it among its own catalogs first", table.span, report);
    checkLength(table.name, table.span, report, {
      limit: 48,
      reason: "its triggers are named after it within PostgreSQL's 63",
    });
    for (const column of table.columns.values()) {
      if (!table.existing && !madeName.test(column.name))
        report("column-name", column.span, { column: column.name });
      checkReserved(column.name, reservedColumns, column.span, report);
      checkLength(column.name, column.span, report, { limit: 63, reason: "PostgreSQL cuts off the rest" });
    }
  }
};

/** Objects and what is in them. */
function namesWithin(fields: Iterable<FieldSymbol>): readonly FieldSymbol[] {
  return [...fields].flatMap((field) =>
    field.source?.kind === "object" ? [field, ...namesWithin(field.source.fields)] : [field],
  );
}

/** `taken`: schemas of the mesh's own. */
function checkSchema(schema: TextNode<string> | undefined, taken: ReadonlySet<string>, report: Report): void {
  if (schema === undefined) return;
  const { value: name, span } = schema;
  checkPrefix(name, "PostgreSQL keeps schemas of that prefix for itself", span, report);
  if (taken.has(name)) report("reserved-name", span, { name, use: "the mesh keeps its own tables there" });
  if (name === "information_schema")
    report("reserved-name", span, { name, use: "PostgreSQL has a schema of that name" });
  checkLength(name, span, report, { limit: 63, reason: "PostgreSQL cuts off the rest" });
}

const reservedServices = new Map([
  ["schemas", "the generated folder keeps the JSON Schemas there"],
  ["node_modules", "Node and TypeScript look for packages in a folder of that name"],
  ["mesh_operator", "it is the broker's user who operates the mesh"],
  ["mesh-operator", "its password's variable is that of the broker's user who operates the mesh"],
]);
/** Whatever follows their first dot. */
const deviceName = /^(con|prn|aux|nul|(com|lpt)[1-9])$/i;
const reservedDatabases = new Map([
  ["nats", "NATS_URL is the URL of the broker"],
  ["database", "DATABASE_URL stands in for the URL of any database"],
  ["postgres", "PostgreSQL has a database of that name"],
  ["template0", "PostgreSQL has a database of that name"],
  ["template1", "PostgreSQL has a database of that name"],
]);
const reservedColumns = new Map(
  ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"].map((name) => [
    name,
    "every PostgreSQL table has a system column of that name",
  ]),
);

function checkReserved(
  name: string,
  reserved: ReadonlyMap<string, string>,
  span: Span,
  report: Report,
): void {
  const use = reserved.get(name);
  if (use !== undefined) report("reserved-name", span, { name, use });
}

function checkPrefix(name: string, use: string, span: Span, report: Report): void {
  if (name.startsWith("pg_")) report("reserved-name", span, { name, use });
}

function checkLength(
  name: string,
  span: Span,
  report: Report,
  { limit, reason }: { readonly limit: number; readonly reason: string },
): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > limit) report("name-too-long", span, { name, bytes, limit, reason });
}
