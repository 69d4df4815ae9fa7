import type { ExistingDifference, ExistingDiffers } from "@meshwright/runtime";
import type { Compilation } from "../compile.js";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { suggest } from "../diagnostics/suggest.js";
import { pathTo } from "../migrations/refusal.js";
import { reportDiagnostics } from "./project.js";

/** Tables and views of a service that are not what mesh.yaml says of them. */
export type Differing = Pick<ExistingDiffers, "service" | "differences">;

type Located = Pick<Compilation, "mesh" | "locate">;

/** Each at its place in mesh.yaml. */
export function reportDifferences(differing: Differing, located: Located, json?: boolean): void {
  reportDiagnostics(locateDifferences(differing, located), json);
}

/** The same of a running mesh, a line each, and what to do. */
export function tellDifferences(differing: Differing, located: Located): readonly string[] {
  const { service } = differing;
  return differing.differences.flatMap((difference) => {
    const remedy =
      difference.isTrigger === true
        ? `put them back with mesh migrate ${service}, then mesh verify: what copies have missed, mesh resync heals`
        : `undo that in the database, or change mesh.yaml, then mesh generate and mesh migrate ${service}`;
    return locateDifferences({ service, differences: [difference] }, located).map(
      ({ file, start, message, hint }) =>
        `${service}: ${file}:${start.line}:${start.column}: ${message}${hint === undefined ? "" : ` (${hint})`}; ${remedy}`,
    );
  });
}

function locateDifferences(
  { service, differences }: Differing,
  { mesh, locate }: Located,
): readonly Diagnostic[] {
  const database = mesh?.databases.find((each) => each.service === service)?.name ?? service;
  const mistakes = differences.map(
    ({ table, isView, isTrigger, column, message, known }: ExistingDifference) => ({
      code: "existing-differs",
      message: `${column === undefined ? `"${table}"` : `"${table}.${column}"`} of ${database} is not what ${isTrigger ? "its migrations have made" : "this file says"}: ${message}`,
      ...meant(column ?? table, known),
      path: pathTo(database, {
        ...(isView ? { view: table } : { table }),
        ...(column === undefined ? {} : { column }),
      }),
    }),
  );
  return locate(mistakes);
}

/** What is called nearly so in the database. */
function meant(name: string, known: readonly string[] = []): { readonly hint?: string } {
  const near = suggest(name, known);
  return near === undefined ? {} : { hint: `did you mean "${near}"?` };
}
