import { findWaiting, messageOf, parseSubject } from "@meshwright/runtime";
import { suggest } from "../../diagnostics/suggest.js";
import { entityOf } from "../../flow/flow.js";
import type { Mesh } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { print, printJson, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { withService } from "../loaded-service.js";
import { findRunningMesh, type RunningMesh } from "../running-mesh.js";
import { describeTrace } from "../trace/describe-trace.js";
import { problemsOf } from "../trace/judge-trace.js";
import { findEvent, openReader } from "../trace/read-events.js";
import { type Asked, traceEntity } from "../trace/trace-entity.js";

/** Where one entity, or one event, is: from its row to each copy, and what it caused. 1 where something waits for a person. */
export async function trace(
  what: string,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<ExitCode> {
  const running = await findRunningMesh();
  const asked = id === undefined ? undefined : askedEntity(running.mesh, what, id);
  return await withProgress("asking databases and broker", async () => {
    const found = await traceEntity(running, asked ?? (await askedEvent(running, what)));
    const problems = problemsOf(found);
    if (options.json) printJson({ ...found, problems });
    else for (const line of describeTrace(found, problems)) print(line);
    return problems.length === 0 ? 0 : 1;
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

/** By the id of an event: first the outboxes, which are small, then every stream. */
async function askedEvent(running: RunningMesh, eventId: string): Promise<Asked> {
  const entities = new Set(running.mesh.events.map(entityOf));
  if (entities.has(eventId))
    throw new UsageError(`which ${eventId}?`, `mesh trace ${eventId} ID, or mesh trace EVENT_ID`);
  const troubles: string[] = [];
  for (const service of running.services) {
    const waiting = await withService(running, service, ({ pool }) => findWaiting(pool, { eventId })).catch(
      (error: unknown) => {
        troubles.push(`${service.name}: ${messageOf(error)}`);
        return [];
      },
    );
    const [found] = waiting;
    if (found !== undefined) return toAsked(running.mesh, found.subject, eventId);
  }
  try {
    const reader = await openReader(running);
    try {
      const found = await findEvent(reader, running.mesh, eventId);
      if (found !== undefined) return toAsked(running.mesh, found.subject, eventId);
    } finally {
      await reader.close();
    }
  } catch (error) {
    troubles.push(`broker: ${messageOf(error)}`);
  }
  throw new UsageError(
    `no outbox and no stream has an event "${eventId}"${troubles.length === 0 ? "" : ` (could not ask: ${troubles.join("; ")})`}`,
    "an event that its stream no longer holds is found by its entity: mesh trace auth.user ID",
  );
}

function toAsked(mesh: Mesh, subject: string, eventId: string): Asked {
  const own = mesh.events.find(
    (event) => event.foreign?.subject !== undefined && idIn(event.subject, subject),
  );
  if (own !== undefined) return { entity: entityOf(own), id: idIn(own.subject, subject) ?? "", eventId };
  const parts = parseSubject(subject);
  if (parts === undefined) throw new UsageError(`the subject "${subject}" is no event's of this mesh`);
  return { entity: `${parts.service}.${parts.entity}`, id: parts.id, eventId };
}

/** The id in a subject of a form of its own: `m.*.c.{id}.>`. */
function idIn(form: string, subject: string): string | undefined {
  const tokens = subject.split(".");
  let id: string | undefined;
  const meets = form.split(".").every((wanted, at) => {
    if (wanted === "{id}") id = tokens[at];
    return wanted === ">" || wanted === "*" || wanted === "{id}"
      ? tokens[at] !== undefined
      : wanted === tokens[at];
  });
  return meets ? id : undefined;
}
