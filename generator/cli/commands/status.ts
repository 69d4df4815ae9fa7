import { connectJetStream, type ServiceStatus, serviceStatus } from "meshwright/runtime";
import type { ExitCode } from "../exit.js";
import { withService } from "../loaded-service.js";
import { findRunningMesh, required } from "../running-mesh.js";
import { colour, print, printJson, printTable, quietLogger, withProgress } from "../terminal.js";

/** How every service stands. A finding is what does not go away by itself: dead letters, failing cascades, failed snapshots, missing migrations. */
export async function status(options: { readonly json?: boolean }): Promise<ExitCode> {
  const running = await findRunningMesh();
  const broker = await connectJetStream({
    url: required(running, "NATS_URL"),
    name: "mesh_operator",
    logger: quietLogger,
  });
  try {
    const all = await withProgress("asking databases and broker", async () => {
      const found: ServiceStatus[] = [];
      for (const service of running.services) {
        found.push(await withService(running, service, (loaded) => serviceStatus({ ...loaded, broker })));
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

function findingsOf({ service, migrations, consumers, cascades }: ServiceStatus): string[] {
  return [
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

function describe(all: readonly ServiceStatus[], findings: readonly string[]): void {
  const services = all.map(({ service, outbox, stream, cascades }) => [
    service,
    outbox
      ? `${outbox.waiting}${outbox.oldestSeconds ? ` (${Math.round(outbox.oldestSeconds)} s)` : ""}`
      : "-",
    stream ? `${stream.name}, ${stream.messages} messages` : "-",
    String(cascades?.waiting ?? 0),
  ]);
  printTable(["service", "outbox", "stream", "cascades waiting"], services);
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
