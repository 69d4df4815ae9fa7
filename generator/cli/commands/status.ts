import { connectJetStream, type ServiceStatus, serviceStatus } from "meshwright/runtime";
import type { ExitCode } from "../exit.js";
import { withService } from "../loaded-service.js";
import { findRunningMesh, findServiceUrl, natsLogin } from "../running-mesh.js";
import { colour, print, printJson, printTable, quietLogger, withProgress } from "../terminal.js";

/**
 * How every service stands. A finding is what does not go away by itself: dead letters, failing cascades, failed
 * snapshots, missing migrations, and what a running service says that it lacks, or that none answers.
 */
export async function status(options: { readonly json?: boolean }): Promise<ExitCode> {
  const running = await findRunningMesh();
  const broker = await connectJetStream({
    ...natsLogin(running),
    name: "mesh_operator",
    logger: quietLogger,
  });
  try {
    const all = await withProgress("asking databases and broker", async () => {
      const found: ServiceStatus[] = [];
      for (const service of running.services) {
        const url = findServiceUrl(running, service);
        found.push(
          await withService(running, service, (loaded) => serviceStatus({ ...loaded, broker, url })),
        );
      }
      return found;
    });
    const findings = all.flatMap(findingsOf);
    if (options.json) printJson({ services: all, findings });
    else describe(all, findings);
    return findings.length === 0 ? 0 : 1;
  } finally {
    await broker.close();
  }
}

function findingsOf(status: ServiceStatus): string[] {
  const { service, migrations, consumers, cascades } = status;
  return [
    ...healthFindings(status),
    ...migrations.pending.map((name) => `${service}: migration ${name} is not applied`),
    ...consumers.flatMap(({ durable, deadLetters, snapshot }) => [
      ...(deadLetters > 0
        ? [`${service}: ${deadLetters} dead letters of ${durable} (mesh dlq list ${service})`]
        : []),
      ...(snapshot?.error ? [`${service}: the last snapshot of ${durable} failed: ${snapshot.error}`] : []),
    ]),
    ...(cascades && cascades.failing > 0
      ? [
          `${service}: ${cascades.failing} rows wait for a hook that fails: ${cascades.lastError ?? "unknown"}`,
        ]
      : []),
  ];
}

/** What the service says of itself, as far as its database does not say the same. */
function healthFindings({ service, health, consumers }: ServiceStatus): string[] {
  if (health === undefined) return [];
  if (health.status === "silent") return [`${service}: does not answer: ${health.reasons.join("; ")}`];
  const stalled = new Set(health.stalled.map(({ durable }) => durable));
  const said = consumers.map(({ durable, snapshot }) => `consumer ${durable}: ${snapshot?.error}`);
  const others = health.reasons.filter(
    (reason) => !said.includes(reason) && !stalled.has(/^consumer (\S+): /.exec(reason)?.[1] ?? ""),
  );
  return [
    ...health.stalled.map(({ durable, reason }) => `${service}: consumer ${durable} is stalled: ${reason}`),
    ...others.map((reason) => `${service}: ${health.status}: ${reason}`),
  ];
}

function describe(all: readonly ServiceStatus[], findings: readonly string[]): void {
  const services = all.map(({ service, health, outbox, stream, cascades }) => [
    service,
    health?.status ?? "not asked",
    outbox
      ? `${outbox.waiting}${outbox.oldestSeconds ? ` (${Math.round(outbox.oldestSeconds)} s)` : ""}`
      : "-",
    stream ? `${stream.name}, ${stream.messages} messages` : "-",
    String(cascades?.waiting ?? 0),
  ]);
  printTable(["service", "health", "outbox", "stream", "cascades waiting"], services);
  print("");
  const consumers = all.flatMap(({ consumers }) =>
    consumers.map(({ durable, broker, deadLetters, attemptsWaiting, snapshot }) => [
      durable,
      broker ? `${broker.pending} + ${broker.ackPending} unacked` : "unknown to the broker",
      String(attemptsWaiting),
      String(deadLetters),
      snapshot?.at ? `${snapshot.rows ?? 0} rows at ${snapshot.at}` : "-",
    ]),
  );
  printTable(["consumer", "behind", "retrying", "dead letters", "last snapshot"], consumers);
  print("");
  for (const finding of findings) print(colour.yellow(finding));
  if (findings.length === 0) print(colour.green("nothing waits for a person"));
}
