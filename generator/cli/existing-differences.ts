import type { ExistingDiffers } from "@meshwright/runtime";
import type { Compilation } from "../compile.js";
import { suggest } from "../diagnostics/suggest.js";
import { pathTo } from "../migrations/refusal.js";
import { reportDiagnostics } from "./project.js";

/** Tables and views that are not what mesh.yaml says of them, each at its place there. */
export function reportDifferences(
  { service, differences }: ExistingDiffers,
  { mesh, locate }: Pick<Compilation, "mesh" | "locate">,
  json?: boolean,
): void {
  const database = mesh?.databases.find((each) => each.service === service)?.name ?? service;
  const mistakes = differences.map(({ table, isView, column, message, known }) => ({
    code: "existing-differs",
    message: `${column === undefined ? `"${table}"` : `"${table}.${column}"`} of ${database} is not what this file says: ${message}`,
    ...meant(column ?? table, known),
    path: pathTo(database, {
      ...(isView ? { view: table } : { table }),
      ...(column === undefined ? {} : { column }),
    }),
  }));
  reportDiagnostics(locate(mistakes), json);
}

/** What is called nearly so in the database. */
function meant(name: string, known: readonly string[] = []): { readonly hint?: string } {
  const near = suggest(name, known);
  return near === undefined ? {} : { hint: `did you mean "${near}"?` };
}
