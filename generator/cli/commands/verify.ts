import { type FoundRow, type Verification, verifyCache, verifyReferences } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour, print, printJson, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { withService } from "../loaded-service.js";
import { findRunningMesh, type RunningMesh, sourceKeys } from "../running-mesh.js";

/**
 * Compares caches with their sources, and rows that cascade rules name with the entities that they refer to, on the live mesh.
 * What differs only because an event is under way does not count. Rejects where a source cannot be read.
 */
export async function verify(
  only: string | undefined,
  options: { readonly json?: boolean },
): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const results = await withProgress("comparing caches with their sources", () => verifyAll(running));
  if (options.json) printJson({ caches: results });
  else if (results.length === 0) print("no cache has a source to be compared with");
  else describeAll(running, results);
  return areEqual(results) ? 0 : 1;
}

export function areEqual(results: readonly Verification[]): boolean {
  return results.every((result) => differences(result) === 0);
}

export async function verifyAll(running: RunningMesh): Promise<readonly Verification[]> {
  const results: Verification[] = [];
  const compared = running.services.filter(({ consumers }) =>
    consumers.some(({ cache, source }) => cache !== undefined || source !== undefined),
  );
  for (const service of compared) {
    const keys = sourceKeys(running, service);
    await withService(running, service, async ({ definition, pool, env }) => {
      for (const consumer of definition.consumers.filter(({ sync }) => sync)) {
        const options = { pool, consumer, env: { ...env, ...keys } };
        if (consumer.cache) results.push(await verifyCache(options));
        else results.push(...(await verifyReferences(options)));
      }
    });
  }
  return results;
}

function differences({ missing, extra, differing, unfit, ahead }: Verification): number {
  return missing + extra + differing + unfit + ahead;
}

function describeAll(running: RunningMesh, results: readonly Verification[]): void {
  describeResults(results);
  const healing = running.services.flatMap(({ name, consumers }) => {
    const wrong = results.filter(
      (result) => differences(result) > 0 && consumers.some(({ durable }) => durable === result.durable),
    );
    if (wrong.length === 0) return [];
    return [`mesh resync ${name}${wrong.some(({ ahead }) => ahead > 0) ? " --trust-source" : ""}`];
  });
  if (healing.length > 0) print(colour.dim(`healed by: ${healing.join("; ")}`));
}

export function describeResults(results: readonly Verification[]): void {
  results.forEach(describe);
}

function describe(result: Verification): void {
  const { durable, cache, uncompared, rows, missing, extra, differing, unfit, ahead, sample, ms } = result;
  const rare = [unfit > 0 ? `, ${unfit} unfit` : "", ahead > 0 ? `, ${ahead} ahead` : ""].join("");
  const found = `${missing} missing, ${extra} extra, ${differing} differing${rare}`;
  const verdict =
    differences(result) === 0
      ? colour.green(`equal, ${plural(rows, "row")}`)
      : colour.red(`${found} of ${plural(rows, "row")}`);
  const apart = uncompared.length > 0 ? `, not compared: ${uncompared.join(", ")}` : "";
  print(`${durable} → ${cache}: ${verdict} ${colour.dim(`(${ms} ms${apart})`)}`);
  for (const row of sample)
    print(
      `  ${row.finding.padEnd(9)} ${brief(row.key)}${row.reason === null ? "" : `: ${brief(row.reason)}`}${sides(row)}`,
    );
  const more = differences(result) - sample.length;
  if (more > 0) print(colour.dim(`  … and ${more} more`));
}

/** A row may hold a megabyte, and its key be as long as a message; `--json` gives all of it. */
function brief(text: string): string {
  return shorten(oneLine(text));
}

function sides({ sourceText, cacheText }: FoundRow): string {
  const side = (name: string, row: string | null) => (row ? `\n    ${name}  ${brief(row)}` : "");
  return colour.dim(side("source", sourceText) + side("cache ", cacheText));
}
