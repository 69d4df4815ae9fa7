import { basename, resolve } from "node:path";
import { type CatalogTable, compareExisting, describeDifference } from "@meshwright/runtime";
import { compileMesh } from "../../compile.js";
import { hasErrors } from "../../diagnostics/diagnostic.js";
import { plural } from "../../diagnostics/plural.js";
import { suggest } from "../../diagnostics/suggest.js";
import type { Mesh } from "../../model/mesh.js";
import { databaseUrlVariable } from "../../model/names.js";
import { describedTables } from "../../project/described-tables.js";
import { openOutputFolder } from "../../project/output-folder.js";
import { MESH_FILE } from "../../project/paths.js";
import { UsageError } from "../../project/usage-error.js";
import { visible } from "../../quote/visible.js";
import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import { type AdoptedTable, adoptInto } from "../adopt/adopt-mesh.js";
import { type AdoptableTable, findAdoptable, type LeftOut } from "../adopt/adoptable-tables.js";
import { type DatabaseSource, withDatabase } from "../adopt/catalog-source.js";
import { snakeCase } from "../adopt/mesh-names.js";
import { findNeighbours } from "../adopt/neighbours.js";
import type { ExitCode } from "../exit-code.js";
import { reportDiagnostics } from "../project.js";

export interface AdoptOptions {
  readonly service?: string;
  /** `users,sales.orders` */
  readonly tables?: string;
  readonly json?: boolean;
}

interface Report {
  readonly service: string;
  readonly database: string;
  readonly urlVariable: string;
  readonly added: readonly AdoptedTable[];
  /** Columns that are called like a secret: in the file, and in no message. */
  readonly private: readonly string[];
  /** In mesh.yaml and in the database, and not the same. */
  readonly differs: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** Writes the tables of a database into mesh.yaml; what is there already stays as it is. */
export async function adopt(from: string, options: AdoptOptions): Promise<ExitCode> {
  const folder = openOutputFolder(".");
  const text = folder.read(MESH_FILE);
  const compiled = text === undefined ? undefined : compileMesh(text, { file: MESH_FILE });
  if (compiled !== undefined && compiled.mesh === undefined) {
    reportDiagnostics(compiled.diagnostics, options.json);
    throw new UsageError(`${MESH_FILE} has errors, so nothing can be added to it`);
  }
  return await withProgress("reading the database", () =>
    withDatabase(from, async (source, client) => {
      const mesh = compiled?.mesh;
      const names = nameParts(source, options, mesh);
      const {
        shares,
        free,
        leftOut: others,
      } = findNeighbours(mesh, names.service, {
        catalog: source.catalog,
        meshSchemas: source.meshSchemas,
        wanted: chosen(source.catalog, options.tables),
      });
      const { tables, leftOut } = findAdoptable(free);
      const meshName =
        basename(resolve("."))
          .toLowerCase()
          .replace(/[^a-z0-9-]+/g, "-")
          .replace(/^[^a-z]+|-+$/g, "") || "mesh";
      const adopted = adoptInto({ text, mesh, tables, meshName, shares, ...names });
      const result = compileMesh(adopted.text, { file: MESH_FILE });
      if (hasErrors(result.diagnostics)) {
        reportDiagnostics(result.diagnostics, options.json);
        throw new Error(`what was read of ${source.name} makes no valid ${MESH_FILE}: nothing was written`);
      }
      const known = mesh?.databases.find(({ name }) => name === adopted.database);
      const found = known && (await compareExisting(client, describedTables(known)));
      const differs = [...(found?.foreign ?? []), ...(found?.differences ?? [])].map(describeDifference);
      const report: Report = {
        service: names.service,
        database: adopted.database,
        urlVariable: databaseUrlVariable(adopted.database),
        added: adopted.added,
        private: secretsOf(tables, adopted.added),
        differs,
        leftOut: [...others, ...leftOut, ...source.refused],
      };
      const isNew = mesh?.services.some(({ name }) => name === names.service) !== true;
      const inVain = report.added.length === 0 && (isNew || isInVain(report, options));
      if (adopted.text !== text && !inVain) folder.write(MESH_FILE, adopted.text);
      if (options.json) printJson(report);
      else describe(report, from, inVain);
      return differs.length > 0 || inVain ? 1 : 0;
    }),
  );
}

function nameParts(
  { name }: DatabaseSource,
  { service: wanted }: AdoptOptions,
  mesh: Mesh | undefined,
): { readonly service: string; readonly database: string } {
  const plain = wanted === undefined ? snakeCase(name, "database") : `${wanted.replaceAll("-", "_")}_db`;
  const service = wanted ?? plain.replace(/_db$/, "").slice(0, 32);
  if (!/^[a-z][a-z0-9_-]*$/.test(service))
    throw new UsageError(`"${service}" is no name for a service`, "use lower-case letters, digits, _ and -");
  const known = mesh?.services.find((each) => each.name === service);
  if (known?.external === true)
    throw new UsageError(`${service} is external: nothing is generated for it`, "choose another --service");
  const taken = mesh?.databases.some((each) => each.name === plain && each.service !== service) === true;
  const reserved =
    ["nats", "database", "postgres", "template0", "template1"].includes(plain) || plain.startsWith("pg_");
  return { service, database: taken || reserved ? `${service.replaceAll("-", "_")}_db` : plain };
}

/** Those that are named, with their schema or without. */
function chosen(catalog: readonly CatalogTable[], tables: string | undefined): readonly CatalogTable[] {
  if (tables === undefined) return catalog;
  const wanted = tables.split(",").map((name) => name.trim());
  const isMeant = (table: CatalogTable, name: string) =>
    [table.name, `${table.schema}.${table.name}`].includes(name);
  const missing = wanted.filter((name) => !catalog.some((table) => isMeant(table, name)));
  if (missing.length > 0) {
    const known = catalog.map(({ schema, name }) => (schema === "public" ? name : `${schema}.${name}`));
    const near = missing.flatMap((name) => suggest(name, known) ?? []);
    throw new UsageError(
      `the database has no ${missing.join(", ")}`,
      near.length > 0
        ? `did you mean ${near.map((name) => `"${name}"`).join(", ")}?`
        : `its tables are ${known.join(", ")}`,
    );
  }
  return catalog.filter((table) => wanted.some((name) => isMeant(table, name)));
}

function secretsOf(tables: readonly AdoptableTable[], added: readonly AdoptedTable[]): readonly string[] {
  return tables.flatMap(({ schema, table, columns }) =>
    added.some(({ place }) => place === `${schema}.${table}`)
      ? columns.filter((column) => column.private).map(({ name }) => `${schema}.${table}.${name}`)
      : [],
  );
}

/** Tables were named, and none of them can be taken. */
function isInVain({ leftOut }: Report, { tables }: AdoptOptions): boolean {
  return tables !== undefined && leftOut.length > 0;
}

/** `inVain`: there is nothing to add, and a service of nothing is not written. */
function describe(report: Report, from: string, inVain: boolean): void {
  const { service, database, urlVariable, added, differs, leftOut } = report;
  for (const { name, place, events } of added)
    print(
      `${colour.green("took")}     ${place}${place === `public.${name}` ? "" : ` as ${name}`}: ${events.join(", ")}`,
    );
  for (const { place, softDelete } of added) {
    if (softDelete === undefined) continue;
    const told = "rows in which it is set count as deleted; if it means something else, remove soft_delete";
    print(`${colour.yellow("deleted")}  ${place}.${softDelete}: ${told}`);
  }
  for (const column of report.private)
    print(`${colour.yellow("private")}  ${column}: called like a secret, so no message shows it`);
  for (const { what, why } of leftOut)
    print(`${colour.yellow("left out")} ${visible(what)}: ${visible(why)}`);
  for (const line of differs) print(`${colour.red("differs")}  ${line}`);
  if (added.length === 0)
    print(
      inVain
        ? `no table that ${MESH_FILE} can take: nothing was written`
        : `${colour.green("nothing new")} ${MESH_FILE} has every table of ${database} that it can take`,
    );
  const url = from.startsWith("postgres")
    ? from.replace(/:[^:@/]*@/, ":…@")
    : "postgres://user:password@host:5432/database";
  if (added.length === 0) return;
  tell(`\n${plural(added.length, "table")} of ${service}, ${plural(leftOut.length, "thing")} left out`);
  tell("read the payloads before others do: only columns that are called like secrets are private");
  tell(`next: ${colour.bold(`export ${urlVariable}='${url}'`)}   of the role that owns the tables`);
  tell(`      ${colour.bold(`npx mesh generate && npx mesh migrate ${service} && npx mesh dev`)}`);
}
