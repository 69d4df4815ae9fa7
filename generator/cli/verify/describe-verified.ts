import { countFindings, type FoundRow, type RowFinding, type Verification } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour, print } from "../../terminal/terminal.js";
import { tellDifferences } from "../existing-differences.js";
import type { RunningMesh } from "../running-mesh.js";
import type { VerifiedMesh } from "./verify-mesh.js";

/*
 * What was compared, for a person, and what mends each kind of finding.
 */

export function describeVerified(running: RunningMesh, verified: VerifiedMesh): void {
  verified.caches.forEach(describe);
  for (const { service, tables, reason } of verified.notCompared)
    print(colour.red(`${service}: not compared: ${tables.join(", ")}: ${shorten(oneLine(reason), 1_000)}`));
  for (const one of verified.differences)
    for (const line of tellDifferences(one, running)) print(colour.red(oneLine(line)));
}

/** `resynced`: that a snapshot was taken of each, and has not mended it. */
export function describeRemedies(running: RunningMesh, { caches }: VerifiedMesh, resynced = false): void {
  for (const { name, consumers } of running.services) {
    const mine = caches.filter(({ durable }) => consumers.some((one) => one.durable === durable));
    for (const remedy of remediesOf(name, mine, resynced)) print(colour.dim(remedy));
  }
}

function remediesOf(service: string, results: readonly Verification[], resynced: boolean): readonly string[] {
  const sum = (kind: RowFinding) => results.reduce((total, result) => total + result[kind], 0);
  const stale = sum("missing") + sum("extra") + sum("differing");
  const [ahead, unfit, dangling] = [sum("ahead"), sum("unfit"), sum("dangling")];
  const snapshot = ahead > 0 ? `mesh resync ${service} --trust-source` : `mesh resync ${service}`;
  return [
    ...(ahead > 0 || (stale > 0 && !resynced) ? [`healed by: ${snapshot}`] : []),
    ...(stale > 0 && resynced && ahead === 0
      ? [
          "not healed by a resync: mesh status names the rows that it could not take, mesh trace ENTITY ID says more of each",
        ]
      : []),
    ...(unfit > 0 ? [`unfit rows are mended at their owner; then: mesh resync ${service}`] : []),
    ...(dangling > 0
      ? [
          `dangling rows are left by every resync: delete each in the database of ${service}, or make what it refers to at its owner`,
        ]
      : []),
  ];
}

function describe(result: Verification): void {
  const { durable, cache, uncompared, rows, missing, extra, differing, sample, ms } = result;
  const rare = (["unfit", "ahead", "dangling"] as const).flatMap((kind) =>
    result[kind] > 0 ? `, ${result[kind]} ${kind}` : [],
  );
  const found = `${missing} missing, ${extra} extra, ${differing} differing${rare.join("")}`;
  const count = countFindings(result);
  const verdict =
    count === 0
      ? colour.green(`equal, ${plural(rows, "row")}`)
      : colour.red(`${found} of ${plural(rows, "row")}`);
  const apart = uncompared.length > 0 ? `, not compared: ${uncompared.join(", ")}` : "";
  print(`${durable} → ${cache}: ${verdict} ${colour.dim(`(${ms} ms${apart})`)}`);
  for (const row of sample)
    print(
      `  ${row.finding.padEnd(9)} ${brief(row.key)}${row.reason === null ? "" : `: ${brief(row.reason)}`}${sides(row)}`,
    );
  const more = count - sample.length;
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
