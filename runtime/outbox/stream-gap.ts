import type { StoredMessage } from "../broker/broker.js";
import { isPublishable, parseSubject } from "../subject.js";
import { unfitId } from "../values/entity-id.js";
import type { PublishedVersion } from "./raise-versions.js";

/*
 * Messages of the stream that the database may have forgotten, read for what the recovery of versions needs. Pure.
 */

/** An event that the stream holds. */
export interface Published {
  readonly eventId: string;
  readonly subject: string;
}

export interface Gap {
  /** The newest version of each entity. */
  readonly newest: readonly PublishedVersion[];
  readonly published: readonly Published[];
  readonly unversioned: number;
  /** The first of those events whose versions are not believed. */
  readonly unexplained: readonly {
    readonly subject: string;
    readonly seq: number;
    readonly version: number;
  }[];
}

/** Which versions are believed. */
export interface Believed {
  /** Whether the service publishes subjects of this entity. */
  readonly isOurs: (subject: string) => boolean;
  /** Higher versions were not counted by the owner. */
  readonly highest: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LOGGED = 10;

/** What the messages say that the database may not know. */
export function readGap(messages: readonly StoredMessage[], { isOurs, highest }: Believed): Gap {
  const newest = new Map<string, PublishedVersion>();
  const published: Published[] = [];
  const unexplained: Gap["unexplained"][number][] = [];
  let unversioned = 0;
  for (const { subject, headers, body, seq } of messages) {
    const parts = parseSubject(subject);
    if (!parts || !isOurs(subject) || !isPublishable(subject) || unfitId(parts.id) !== undefined) continue;
    const eventId = headers["Nats-Msg-Id"];
    if (eventId !== undefined && UUID.test(eventId)) published.push({ eventId, subject });
    const entity = `${parts.service}.${parts.entity}`;
    const version = versionOf(body);
    if (version === undefined) {
      unversioned += 1;
      continue;
    }
    if (version > highest) {
      if (unexplained.length < LOGGED) unexplained.push({ subject: subject.slice(0, 200), seq, version });
      continue;
    }
    const key = `${entity}.${parts.id}`;
    const former = newest.get(key);
    if (!former || former.version < version) newest.set(key, { entity, id: parts.id, version });
  }
  return { newest: [...newest.values()], published, unversioned, unexplained };
}

/** The pattern with any action: actions that are no longer published have counted versions too. */
export function anyAction(pattern: string): string {
  return `${pattern.split(".", 2).join(".")}.*.*`;
}

/** Undefined where the body has no version: then none of our consumers has a version from it. */
function versionOf(body: Uint8Array): number | undefined {
  try {
    const event = JSON.parse(Buffer.from(body).toString()) as { metadata?: { version?: unknown } } | null;
    const version = event?.metadata?.version;
    return Number.isInteger(version) && Number(version) > 0 ? Number(version) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
