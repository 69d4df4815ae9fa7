import {
  answerWithin,
  type Broker,
  messageOf,
  type ServiceDefinition,
  type ServiceStatus,
  serviceStatus,
} from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import type { Service } from "../../model/mesh.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour, print, printJson, printTable, withProgress } from "../../terminal/terminal.js";
import { type Databases, openBroker, openDatabases } from "../asked-sources.js";
import { tellDifferences } from "../existing-differences.js";
import type { ExitCode } from "../exit-code.js";
import { loadDefinition } from "../loaded-service.js";
import { findRunningMesh, findServiceUrl, type RunningMesh } from "../running-mesh.js";
import { findingsOf } from "./status-findings.js";

/**
 * How every service stands. A finding is what does not go away by itself, and whatever does not answer:
 * with the broker or a database down, or hung, the others are shown all the same.
 */
export async function status(options: { readonly json?: boolean }): Promise<ExitCode> {
  const running = await findRunningMesh();
  const { all, findings } = await withProgress("asking databases and broker", () => askAll(running));
  const stale = staleCopies(running);
  if (options.json) printJson({ services: all, findings, stale });
  else describe(all, { findings, stale });
  return findings.length === 0 ? 0 : 1;
}

/** Copies that mesh.yaml lets go stale: nothing lags, and nothing that a person could redrive. No findings: they may be meant. */
function staleCopies({ warnings }: RunningMesh): readonly string[] {
  return warnings
    .filter(({ code }) => code.startsWith("cache-"))
    .map(({ file, start, message }) => `${file}:${start.line}:${start.column}: ${message}`);
}

interface Answers {
  readonly all: readonly ServiceStatus[];
  readonly findings: readonly string[];
}

/** All at once, each with a time of its own: what is hung costs the others nothing. */
async function askAll(running: RunningMesh): Promise<Answers> {
  const databases = await openDatabases(running, running.services);
  const definitions = new Map<string, ServiceDefinition>();
  for (const service of running.stateless) definitions.set(service.name, await loadDefinition(service));
  const broker = await openBroker(running);
  try {
    const [silence, all] = await Promise.all([
      silenceOf(broker, running),
      Promise.all([
        ...running.services.map((service) => askOne({ running, databases, broker }, service)),
        ...running.stateless.map((service) => {
          const definition = definitions.get(service.name) as ServiceDefinition;
          return serviceStatus({ definition, broker, url: findServiceUrl(running, service) });
        }),
      ]),
    ]);
    const down = silence === undefined ? [] : [`broker: ${silence}; streams and consumers are not shown`];
    const findings = all.flatMap((one) => [
      ...findingsOf(one, silence !== undefined),
      ...tellDifferences({ service: one.service, differences: one.differences ?? [] }, running),
    ]);
    return { all, findings: [...down, ...findings] };
  } finally {
    await Promise.all([broker.close(), databases.close()]);
  }
}

/** Why the broker does not answer; undefined where it does. */
async function silenceOf(broker: Broker, { mesh }: RunningMesh): Promise<string | undefined> {
  const [{ name } = { name: "MESH" }] = mesh.streams;
  return await answerWithin(broker.streamState(name)).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
}

interface Sources {
  readonly running: RunningMesh;
  readonly databases: Databases;
  readonly broker: Broker;
}

function askOne({ running, databases, broker }: Sources, service: Service): Promise<ServiceStatus> {
  const { definition, pool } = databases.of(service);
  return serviceStatus({ definition, pool, broker, url: findServiceUrl(running, service) });
}

function describe(
  all: readonly ServiceStatus[],
  { findings, stale }: { readonly findings: readonly string[]; readonly stale: readonly string[] },
): void {
  printTable(
    ["service", "health", "outbox", "oldest", "dead letters", "cascades waiting"],
    all.map(({ service, health, outbox, cascades }) => [
      service,
      health?.status ?? "not asked",
      String(outbox?.waiting ?? "-"),
      outbox?.oldestSeconds == null ? "-" : `${outbox.oldestSeconds.toFixed(1)} s`,
      String(outbox?.deadLetters ?? "-"),
      String(cascades?.waiting ?? "-"),
    ]),
  );
  printSection(
    ["stream", "messages", "bytes", "first", "last"],
    all.flatMap(({ stream }) =>
      stream
        ? [[stream.name, stream.messages, stream.bytes ?? "-", stream.firstSeq, stream.lastSeq].map(String)]
        : [],
    ),
  );
  printSection(
    [
      "consumer",
      "copy",
      "behind",
      "pending",
      "unacked",
      "redelivered",
      "retrying",
      "dead letters",
      "last snapshot",
    ],
    all.flatMap(({ consumers }) =>
      consumers.map(({ durable, copy, lagSeconds, broker, attemptsWaiting, deadLetters, snapshot }) => [
        durable,
        copy ?? "-",
        broker === undefined ? "-" : `${(lagSeconds ?? 0).toFixed(1)} s`,
        String(broker?.pending ?? "-"),
        String(broker?.ackPending ?? "-"),
        String(broker?.redelivered ?? "-"),
        String(attemptsWaiting ?? "-"),
        String(deadLetters ?? "-"),
        `${snapshot?.at ? `${plural(snapshot.rows ?? 0, "row")} at ${snapshot.at}` : "-"}${snapshot?.error ? ", failed since" : ""}`,
      ]),
    ),
  );
  printSection(
    ["tables of mesh", "bytes", "largest", "rows", "bytes"],
    all.flatMap(({ service, bookkeeping = [] }) => {
      const [largest] = bookkeeping.toSorted((a, b) => b.bytes - a.bytes);
      if (largest === undefined) return [];
      const bytes = bookkeeping.reduce((sum, each) => sum + each.bytes, 0);
      const rows = largest.rows === null ? "-" : `~${largest.rows}`;
      return [[service, String(bytes), largest.table, rows, String(largest.bytes)]];
    }),
  );
  print("");
  for (const copy of stale) print(colour.dim(oneLine(copy)));
  for (const finding of findings) print(colour.yellow(shorten(oneLine(finding), 1_000)));
  if (findings.length === 0) print(colour.green("nothing waits for a person"));
}

/** Below a blank line; nothing of what nobody could tell. */
function printSection(head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  print("");
  printTable(head, rows);
}
