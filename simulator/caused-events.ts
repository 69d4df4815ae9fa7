import { headerId, type ServiceDefinition } from "@meshwright/runtime";
import { matches } from "@meshwright/runtime/simulation";
import type { LoggedMessage } from "./broker/index.js";
import { bodyOf, metadataOf } from "./message-body.js";
import type { Outcome } from "./world.js";

/*
 * What an event says of its cause: a message that its service hears; and of a row that a deletion took along, the deletion of what
 * the row named.
 */

/** One line for each event that names a cause which cannot be it. */
export function checkCauses({ world }: Outcome): readonly string[] {
  const logs = world.mesh.services.flatMap(({ definition }) =>
    definition.stream === undefined ? [] : world.server.log(definition.stream.name),
  );
  const heard = world.mesh.services.flatMap(({ definition }) =>
    definition.consumers.flatMap(({ stream }) => world.server.log(stream.name)),
  );
  const known = new Map<string, LoggedMessage>();
  for (const message of [...logs, ...heard]) {
    const id = eventIdOf(message);
    if (id !== undefined) known.set(id, message);
  }
  return world.mesh.services.flatMap(({ definition }) =>
    (definition.stream === undefined ? [] : world.server.log(definition.stream.name)).flatMap((message) => {
      const causedBy = message.headers["Mesh-Causation-Id"];
      if (causedBy === undefined || !isOfOurForm(definition)) return [];
      const cause = known.get(causedBy);
      const doubt =
        cause === undefined ? "which nobody has published" : doubtOf(definition, message, cause, known);
      return doubt === undefined ? [] : [`${message.subject} names ${causedBy} as its cause, ${doubt}`];
    }),
  );
}

/** The event ids of messages in other envelopes are made up by who reads them. */
function isOfOurForm({ consumers }: ServiceDefinition): boolean {
  return consumers.every(({ stream }) => stream.envelope === undefined);
}

function doubtOf(
  { consumers, tables }: ServiceDefinition,
  message: LoggedMessage,
  cause: LoggedMessage,
  known: ReadonlyMap<string, LoggedMessage>,
): string | undefined {
  const hearing = consumers.filter(({ filter }) => matches(filter, cause.subject));
  if (hearing.length === 0) return `${cause.subject}, which its service does not hear`;
  const [, entity, , action] = message.subject.split(".");
  const table = tables.find((one) => one.entity === entity);
  const deletion = hearing
    .flatMap(({ events }) => events)
    .find(({ event }) => cause.subject.endsWith(`.${event.action}`));
  if (table === undefined || action !== "deleted" || deletion?.event.change !== "delete") return undefined;
  const body = bodyOf(message);
  const about = metadataOf(cause).entity_id;
  const columns = (deletion.cascades ?? []).filter(
    (rule) => rule.table.name === table.name && rule.column in (body ?? {}),
  );
  const named = columns.map(({ column }) => String(body?.[column]));
  // The row named something else that was deleted too: the causes of one batch were mixed up.
  const other = named.find((id) => id !== about && isDeleted(cause.subject, id, known));
  return named.length === 0 || named.includes(String(about)) || other === undefined
    ? undefined
    : `${cause.subject}, though its row named ${JSON.stringify(other)}`;
}

function isDeleted(subject: string, id: string, known: ReadonlyMap<string, LoggedMessage>): boolean {
  const [service, entity, , action] = subject.split(".");
  return [...known.values()].some(
    (one) => matches(`${service}.${entity}.*.${action}`, one.subject) && metadataOf(one).entity_id === id,
  );
}

/** As the headers of what it caused name it. */
function eventIdOf(message: LoggedMessage): string | undefined {
  const { event_id: id } = metadataOf(message);
  return typeof id === "string" ? headerId(id) : undefined;
}
