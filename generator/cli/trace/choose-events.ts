import { suggest } from "../../diagnostics/suggest.js";
import { entityOf, subjectOf } from "../../flow/flow.js";
import { overlap } from "../../model/filters.js";
import type { Event, Mesh, Stream } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";

/*
 * Which events of a mesh a person means by a subject. Pure.
 */

export interface ChosenEvents {
  readonly events: readonly Event[];
  /** What NATS would take as a filter, as it was asked for; undefined where events were named. */
  readonly filter: string | undefined;
}

/** `auth.user`, `auth.user.created`, a pattern of mesh.yaml, or what NATS would take. Undefined: all. */
export function chooseEvents(
  { services, events }: Mesh,
  subject: string | undefined,
): ChosenEvents | undefined {
  if (subject === undefined) return undefined;
  const patterns = services.flatMap(({ publishes, subscribes }) => [...publishes, ...subscribes]);
  const known = patterns.find(({ text }) => text === subject);
  const named = events.filter(
    (event) =>
      `${entityOf(event)}.*` === subject || entityOf(event) === subject || subjectOf(event) === subject,
  );
  if (named.length > 0) return { events: named, filter: undefined };
  if (known !== undefined) {
    const [service, entity] = known.text.split(".");
    const meant = events.filter(
      (event) => event.service === service && (entity === "*" || event.entity === entity),
    );
    if (meant.length > 0) return { events: meant, filter: undefined };
  }
  const mistake = filterMistake(subject);
  if (mistake !== undefined) throw new UsageError(`"${subject}" is no subject: ${mistake}`, EXAMPLES);
  const met = events.filter(({ filter }) => overlap(subject, filter));
  if (met.length > 0) return { events: met, filter: subject };
  const near = suggest(subject, [...patterns.map(({ text }) => text), ...events.map(entityOf)]);
  throw new UsageError(
    `no event of this mesh has a subject of "${subject}"`,
    near === undefined ? "mesh tail shows all of them" : `did you mean "${near}"?`,
  );
}

const EXAMPLES =
  "auth.user.* as in mesh.yaml, auth.user.created, or a filter of NATS: auth.user.*.created, auth.>";

/** What makes a text no filter of NATS; undefined where it is one. */
export function filterMistake(subject: string): string | undefined {
  const tokens = subject.split(".");
  if (tokens.includes("")) return "a part of it is empty";
  if (/[\s\p{Cc}]/u.test(subject)) return "it has a space or a control character";
  if (tokens.slice(0, -1).includes(">")) return '">" stands for all that follows, so it comes last';
  if (tokens.some((token) => token.length > 1 && /[*>]/.test(token)))
    return '"*" and ">" stand for whole parts between dots';
  return undefined;
}

/** Where these events are; of one service those that it publishes or hears. */
export function streamsOf(
  { streams, services }: Mesh,
  chosen: ChosenEvents | undefined,
  only: string | undefined,
): readonly Stream[] {
  const service = services.find(({ name }) => name === only);
  if (only !== undefined && service === undefined)
    throw new UsageError(
      `there is no service "${only}"`,
      `there are ${services.map(({ name }) => name).join(", ")}`,
    );
  const heard = new Set(service?.consumers.map(({ stream }) => stream));
  const found = streams.filter(
    (stream) =>
      (service === undefined || stream.service === only || heard.has(stream.name)) &&
      (chosen === undefined || chosen.events.some((event) => event.service === stream.service)),
  );
  if (found.length === 0) throw new UsageError("nothing flows there: no stream holds such events");
  return found;
}
