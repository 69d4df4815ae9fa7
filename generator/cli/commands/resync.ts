import { type ResyncResult, requestResync } from "meshwright/runtime";
import { type ExitCode, UsageError } from "../exit.js";
import { findRunningMesh, required, serviceUrl } from "../running-mesh.js";
import { colour, print, printJson, withProgress } from "../terminal.js";

/**
 * Asks the running service, which alone knows where its consumers are. Findings: a source that cannot be
 * read (nothing was changed), and rows left as they were because they cannot be taken, or a hook of theirs threw.
 */
export async function resync(name: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const running = await findRunningMesh(name);
  const consumers: ResyncResult[] = [];
  for (const service of running.services) {
    const target = { url: serviceUrl(running, service), serviceKey: required(running, "SERVICE_KEY") };
    const work = () => requestResync(target).catch((cause: unknown) => unreachable(name, target.url, cause));
    consumers.push(...(await withProgress(`${name} reads its sources`, work)));
  }
  if (options.json) printJson({ consumers });
  else if (consumers.length === 0) print(`${name} has no cache with a source`);
  else for (const consumer of consumers) print(`${consumer.durable}: ${outcome(consumer)}`);
  return consumers.some(({ error, report }) => error !== undefined || (report?.unfit ?? 0) > 0) ? 1 : 0;
}

function unreachable(service: string, url: string, cause: unknown): never {
  throw new UsageError(
    `${service} at ${url} did not take the request`,
    "is it running, with this service key?",
    { cause },
  );
}

function outcome({ report, error }: ResyncResult): string {
  if (error !== undefined) return colour.red(error);
  const facts = Object.entries(report ?? {}).map(([name, value]) => `${name} ${String(value)}`);
  const told = facts.join(", ") || "done";
  return report && report.unfit > 0 ? `${colour.red(told)} (mesh status names the rows)` : told;
}
