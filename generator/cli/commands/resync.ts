import { type ResyncResult, requestResync } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import type { Service } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import {
  areSourceKeysKnown,
  databaseVariable,
  findRunningMesh,
  operatorKey,
  type RunningMesh,
  serviceUrl,
  sourcesOf,
} from "../running-mesh.js";
import { silenceOf } from "../service-silence.js";
import { describeRemedies, describeVerified } from "../verify/describe-verified.js";
import { isEqual, type VerifiedMesh, verifyMesh } from "../verify/verify-mesh.js";

export interface ResyncChoice {
  readonly json?: boolean;
  /** Takes the state of the source also for entities of which the copy has a later version. */
  readonly trustSource?: boolean;
}

/**
 * Asks the running service, which alone knows where its consumers are, and compares afterwards. Findings: a source that
 * cannot be read (nothing was changed), rows left as they were because they cannot be taken, or a hook of theirs threw,
 * entities that are known here at later versions than their source's, and whatever differs all the same.
 */
export async function resync(name: string, { json, trustSource = false }: ResyncChoice): Promise<ExitCode> {
  const running = await findRunningMesh(name);
  const consumers: ResyncResult[] = [];
  for (const service of running.services) {
    const target = { url: serviceUrl(running, service), operatorKey: operatorKey(running) };
    const silence = await silenceOf(name, target.url);
    if (silence !== undefined)
      throw new UsageError(silence, "is it running, and not stopped? A service reads its sources itself");
    void tellSilentSources(running, service);
    const work = () =>
      requestResync({ ...target, trustSource }).catch((cause: unknown) =>
        unreachable(name, target.url, cause),
      );
    consumers.push(...(await withProgress(`${name} reads its sources`, work)));
  }
  // A source that could not be read a moment ago is not asked again.
  const isRead = consumers.length > 0 && consumers.every(({ error }) => error === undefined);
  const verified = isRead ? await verifyWhereKnown(running) : NOTHING;
  const isHealed = consumers.every(isDone) && isEqual(verified ?? NOTHING);
  if (json) printJson({ consumers, ...(verified === undefined ? {} : describedAs(verified)) });
  else if (consumers.length === 0) print(`${name} has no cache with a source`);
  else describe(running, { name, consumers, verified });
  return isHealed ? 0 : 1;
}

/** A service gives a source that is hung as much time as one that is slow. */
async function tellSilentSources(running: RunningMesh, service: Service): Promise<void> {
  for (const { name, url } of sourcesOf(running, service)) {
    const silence = await silenceOf(name, url);
    if (silence !== undefined)
      tell(
        colour.yellow(`${service.name} waits for its source: ${silence}; it gives up after 30 s of silence`),
      );
  }
}

const NOTHING: VerifiedMesh = { caches: [], notCompared: [], differences: [] };

function describedAs({ caches, ...others }: VerifiedMesh) {
  return { verified: caches, ...others };
}

function isDone({ error, report }: ResyncResult): boolean {
  return error === undefined && (report?.unfit ?? 0) === 0 && (report?.ahead ?? 0) === 0;
}

/** undefined where the database, or a key to show a source, is not known here: then what the service says is all there is. */
async function verifyWhereKnown(running: RunningMesh): Promise<VerifiedMesh | undefined> {
  const isKnown = running.services.every(
    (service) =>
      running.env[databaseVariable(running, service)] !== undefined && areSourceKeysKnown(running, service),
  );
  if (!isKnown) return undefined;
  return await withProgress("comparing with the sources", () => verifyMesh(running));
}

function unreachable(service: string, url: string, cause: unknown): never {
  throw new UsageError(
    `${service} at ${url} did not take the request`,
    "is it running, with this operator key?",
    { cause },
  );
}

interface Outcome {
  readonly name: string;
  readonly consumers: readonly ResyncResult[];
  readonly verified: VerifiedMesh | undefined;
}

function describe(running: RunningMesh, { name, consumers, verified }: Outcome): void {
  for (const consumer of consumers) print(`${consumer.durable}: ${outcome(consumer)}`);
  const overruled = sum(consumers, "overruled");
  if (overruled > 0)
    print(
      colour.yellow(
        `the source's word was taken for ${plural(overruled, "entity", "entities")} of which later versions were known here`,
      ),
    );
  const ahead = sum(consumers, "ahead");
  if (ahead > 0)
    print(
      colour.red(
        `not healed: ${plural(ahead, "entity", "entities")} known here at later versions than the source has, so that its word counts for old; \`mesh resync ${name} --trust-source\` takes it all the same`,
      ),
    );
  if (verified === undefined)
    print(
      colour.dim(`not compared: ${running.services.map((one) => databaseVariable(running, one))} is not set`),
    );
  else if (!isEqual(verified)) {
    print(colour.red("what still differs:"));
    describeVerified(running, verified);
    describeRemedies(running, verified, true);
  }
}

function sum(consumers: readonly ResyncResult[], what: "ahead" | "overruled"): number {
  return consumers.reduce((total, { report }) => total + (report?.[what] ?? 0), 0);
}

function outcome({ report, error }: ResyncResult): string {
  if (error !== undefined) return colour.red(error);
  const facts = Object.entries(report ?? {}).map(([fact, value]) => `${fact} ${String(value)}`);
  const line = facts.join(", ") || "done";
  return report && report.unfit > 0 ? `${colour.red(line)} (mesh status names the rows)` : line;
}
