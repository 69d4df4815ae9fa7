import { findWaiting, messageOf, parseSubject } from "@meshwright/runtime";
import { suggest } from "../../diagnostics/suggest.js";
import { entityOf, openFlow } from "../../flow/flow.js";
import type { Mesh } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { print, printJson, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh } from "../running-mesh.js";
import { describeTrace } from "../trace/describe-trace.js";
import { problemsOf } from "../trace/judge-trace.js";
import { findEvent } from "../trace/read-events.js";
import { type Asked, traceEntity } from "../trace/trace-entity.js";
import { openTraceSources, reachedFrom, type TraceSources } from "../trace/trace-sources.js";

/** Where one entity, or one event, is: from its row to each copy, and what it caused. 1 where something waits for a person. */
export async function trace(
  what: string,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<ExitCode> {
  const running = await findRunningMesh();
  const asked = id === undefined ? undefined : askedEntity(running.mesh, what, id);
  if (asked === undefined) refuseEntity(running.mesh, what);
  return await withProgress("asking databases and broker", async () => {
    const flow = openFlow(running.mesh);
    const reached = asked && reachedFrom(flow, asked.entity);
    const sources = await openTraceSources(running, (service) => reached?.has(service) ?? true);
    try {
      const found = await traceEntity(sources, asked ?? (await askedEvent(sources, what)));
      const problems = problemsOf(found);
      if (options.json) printJson({ ...found, problems });
      else for (const line of describeTrace(found, problems)) print(line);
      return problems.length === 0 ? 0 : 1;
    } finally {
      await sources.close();
    }
  });
}

function askedEntity(mesh: Mesh, what: string, id: string): Asked {
  const entities = [...new Set(mesh.events.map(entityOf))].sort();
  if (id === "") throw new UsageError("an id is not empty");
  if (entities.includes(what)) return { entity: what, id };
  const near = suggest(what, entities);
  throw new UsageError(
    `there is no entity "${what}"`,
    near === undefined ? `there are ${entities.join(", ")}` : `did you mean "${near}"?`,
  );
}

function refuseEntity(mesh: Mesh, what: string): void {
  if (mesh.events.some((event) => entityOf(event) === what))
    throw new UsageError(`which ${what}?`, `mesh trace ${what} ID, or mesh trace EVENT_ID`);
}

/** By the id of an event: in the outboxes, which are small, else in every stream. */
async function askedEvent(
  { running, flow, databases, reader: opening }: TraceSources,
  eventId: string,
): Promise<Asked> {
  const { mesh } = flow;
  const troubles: string[] = [];
  const noting = (source: string) => (error: unknown) => {
    troubles.push(`${source}: ${messageOf(error)}`);
    return undefined;
  };
  const outboxes = running.services.map(async (service) => {
    const asked = databases.ask(service, ({ pool }) => findWaiting(pool, { eventId }));
    return (await asked.catch(noting(service.name))) ?? [];
  });
  const [waiting] = (await Promise.all(outboxes)).flat();
  const parts = waiting && parseSubject(waiting.subject);
  if (parts !== undefined) return { entity: `${parts.service}.${parts.entity}`, id: parts.id, eventId };
  const reader = await opening;
  const found =
    "unreachable" in reader
      ? noting("broker")(reader.unreachable)
      : await findEvent(reader, mesh, eventId).catch(noting("broker"));
  if (found !== undefined && (found.entity === null || found.id === null))
    throw new UsageError(
      `the event "${eventId}" is ${found.stream} #${found.seq}, ${found.subject}, which is no event of this mesh`,
    );
  if (found?.entity && found.id)
    return { entity: found.entity, id: found.id, eventId: found.eventId ?? eventId };
  throw new UsageError(
    `no outbox and no stream has an event "${eventId}"${troubles.length === 0 ? "" : ` (could not ask: ${troubles.join("; ")})`}`,
    "an event that its stream no longer holds is found by its entity: mesh trace auth.user ID",
  );
}
