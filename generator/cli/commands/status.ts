import { type Broker, connectJetStream, type ServiceStatus, serviceStatus } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import type { Service } from "../../model/mesh.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour, print, printJson, printTable, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { loadDefinition, withService } from "../loaded-service.js";
import { findRunningMesh, findServiceUrl, natsLogin, type RunningMesh } from "../running-mesh.js";
import { findingsOf } from "./status-findings.js";

/**
 * How every service stands. A finding is what does not go away by itself, and whatever cannot be asked:
 * with the broker or a database down, the others are shown all the same.
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

async function askAll(running: RunningMesh): Promise<Answers> {
  const all: ServiceStatus[] = [];
  const findings: string[] = [];
  const { broker, error } = await openBroker(running);
  if (error !== undefined) findings.push(`broker: ${error}; streams and consumers are not shown`);
  try {
    for (const service of [...running.services, ...running.stateless]) {
      const asked = error === undefined ? broker : undefined;
      const found =
        service.database === undefined
          ? await askStateless(running, service, asked)
          : await askOne(running, service, asked);
      if (typeof found === "string") findings.push(`${service.name}: ${found}`);
      else {
        all.push(found);
        findings.push(...findingsOf(found));
      }
    }
  } finally {
    await broker.close();
  }
  return { all, findings };
}

async function openBroker(
  running: RunningMesh,
): Promise<{ readonly broker: Broker; readonly error?: string }> {
  const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
  const broker = await connectJetStream({ ...natsLogin(running), name: "mesh_operator", logger: silent });
  const [{ name } = { name: "MESH" }] = running.mesh.streams;
  try {
    await broker.streamState(name);
    return { broker };
  } catch (error) {
    return { broker, error: (error as Error).message };
  }
}

async function askStateless(
  running: RunningMesh,
  service: Service,
  broker: Broker | undefined,
): Promise<ServiceStatus> {
  const definition = await loadDefinition(service);
  const url = findServiceUrl(running, service);
  return await serviceStatus({ definition, url, ...(broker && { broker }) });
}

/** A text says why its database could not be asked. */
async function askOne(
  running: RunningMesh,
  service: Service,
  broker: Broker | undefined,
): Promise<ServiceStatus | string> {
  const url = findServiceUrl(running, service);
  return await withService(running, service, async (loaded) => {
    try {
      await loaded.pool.query("SELECT 1");
    } catch (error) {
      const { code, message } = error as Error & { readonly code?: string };
      return `its database is out of reach: ${message || code}`;
    }
    return await serviceStatus({ ...loaded, url, ...(broker && { broker }) });
  });
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
  print("");
  printTable(
    ["stream", "messages", "bytes", "first", "last"],
    all.flatMap(({ stream }) =>
      stream
        ? [[stream.name, stream.messages, stream.bytes ?? "-", stream.firstSeq, stream.lastSeq].map(String)]
        : [],
    ),
  );
  print("");
  printTable(
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
        String(attemptsWaiting),
        String(deadLetters),
        `${snapshot?.at ? `${plural(snapshot.rows ?? 0, "row")} at ${snapshot.at}` : "-"}${snapshot?.error ? ", failed since" : ""}`,
      ]),
    ),
  );
  print("");
  printTable(
    ["remembered", "of", "rows", "bytes"],
    all.flatMap(({ service, bookkeeping = [] }) =>
      bookkeeping.map(({ table, rows, bytes }) => [
        service,
        table,
        rows === null ? "-" : `~${rows}`,
        String(bytes),
      ]),
    ),
  );
  print("");
  for (const copy of stale) print(colour.dim(oneLine(copy)));
  for (const finding of findings) print(colour.yellow(shorten(oneLine(finding), 1_000)));
  if (findings.length === 0) print(colour.green("nothing waits for a person"));
}
