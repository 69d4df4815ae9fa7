import pc from "picocolors";
import type { ChaosReport } from "./chaos.js";
import type { Violation } from "./oracle/violation.js";
import type { RoundReport } from "./round.js";

/** One line, and what was wrong beneath it. */
export function describeRound(report: RoundReport, seed: number): string {
  const { number, kinds, quiescentMs, resynced, violations, knownGaps } = report;
  const verdict = violations.length === 0 ? pc.green("clean") : pc.red(`${violations.length} violations`);
  const gaps = knownGaps.length === 0 ? "" : pc.yellow(`, ${knownGaps.length} known gaps`);
  const rest = `at rest after ${(quiescentMs / 1_000).toFixed(1)} s${resynced ? " and a resync" : ""}`;
  const line = `round ${number}: ${verdict}${gaps}, ${rest} ${pc.dim(`[${kinds.join(", ") || "no faults"}]`)}`;
  const healed = report.beforeResync.map(
    ({ check, message }) => `  ${pc.dim(`before the resync: ${check}: ${message}`)}`,
  );
  if (violations.length === 0 && knownGaps.length === 0) return [line, ...healed].join("\n");
  const timeline = report.timeline.map(({ ms, what }) => `    ${String(ms).padStart(6)} ms  ${what}`);
  const found = [...violations, ...knownGaps].flatMap(describeViolation);
  return [
    line,
    ...healed,
    ...found,
    pc.dim(`  seed ${seed}, round ${number}:`),
    pc.dim(timeline.join("\n")),
  ].join("\n");
}

function describeViolation({ check, message, rows, knownGap }: Violation): readonly string[] {
  const head = knownGap === undefined ? pc.red(check) : pc.yellow(`${check}, known gap "${knownGap}"`);
  return [`  ${head}: ${message}`, ...rows.map((row) => `    ${JSON.stringify(row)}`)];
}

export interface Summary {
  readonly seed: number;
  readonly cluster: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly writes: Readonly<Record<string, number>>;
  readonly events: number;
  readonly longestToRestMs: number;
  readonly medianToRestMs: number;
  /** Rounds whose caches were right only after a resync. */
  readonly resyncs: number;
  readonly violations: number;
  readonly knownGaps: Readonly<Record<string, number>>;
  readonly failedRounds: readonly RoundReport[];
  readonly folder?: string;
}

export function summarise(report: ChaosReport): Summary {
  const { rounds, folder } = report;
  const times = rounds.map(({ quiescentMs }) => quiescentMs).sort((a, b) => a - b);
  return {
    seed: report.seed,
    cluster: report.cluster,
    rounds: rounds.length,
    seconds: report.seconds,
    faults: tally(rounds.flatMap(({ kinds }) => kinds)),
    writes: report.writes,
    events: report.events,
    longestToRestMs: times.at(-1) ?? 0,
    medianToRestMs: times[Math.floor(times.length / 2)] ?? 0,
    resyncs: rounds.filter(({ resynced }) => resynced).length,
    violations: rounds.reduce((sum, { violations }) => sum + violations.length, 0),
    knownGaps: tally(rounds.flatMap(({ knownGaps }) => knownGaps.map(({ knownGap }) => knownGap ?? ""))),
    failedRounds: rounds.filter(({ violations }) => violations.length > 0),
    ...(folder === undefined ? {} : { folder }),
  };
}

function tally(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

export function describeSummary(summary: Summary): string {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  const kind = summary.cluster ? "three brokers" : "one broker";
  return [
    "",
    `${summary.rounds} rounds on ${kind} in ${summary.seconds} s, seed ${summary.seed}`,
    `  faults       ${list(summary.faults)}`,
    `  writes       ${list(summary.writes)}`,
    `  events       ${summary.events}`,
    `  at rest      after ${seconds(summary.medianToRestMs)} (median), ${seconds(summary.longestToRestMs)} (longest)`,
    `  resyncs      ${summary.resyncs} rounds needed one`,
    `  known gaps   ${list(summary.knownGaps)}`,
    `  violations   ${summary.violations}`,
    ...(summary.folder === undefined ? [] : [`  logs         ${summary.folder}`]),
  ].join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
