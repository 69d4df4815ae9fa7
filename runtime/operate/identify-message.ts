import type { StoredMessage } from "../broker/broker.js";
import type { Metadata } from "../definition/event-definition.js";
import type { Envelope } from "../definition/stream-definition.js";
import { openEnvelope } from "../inbox/envelope.js";
import { readTemplate } from "../inbox/subject-template.js";
import { parseSubject } from "../subject.js";
import { fieldOf } from "../values/field.js";

/*
 * Whose event a stored message is, for whoever reads streams: by the same rules by which a consumer takes it, and without its schema.
 */

/** One event of an owner, as it is told from others. */
export interface EventForm {
  /** `auth.user` */
  readonly entity: string;
  readonly action: string;
  /** What an external owner does otherwise than the protocol says. */
  readonly subject?: string | undefined;
  readonly type?: string | undefined;
  readonly idField?: string | undefined;
  readonly eventIdField?: string | undefined;
}

/** Null: the message does not say, or cannot be read. */
export interface MessageIdentity {
  readonly entity: string | null;
  readonly id: string | null;
  readonly action: string | null;
  /** As consumers know the event: what it causes names it by this. */
  readonly eventId: string | null;
  readonly version: number | null;
}

/** Reads one message of an owner. */
export type Identify = (message: StoredMessage) => MessageIdentity;

const UNKNOWN: MessageIdentity = { entity: null, id: null, action: null, eventId: null, version: null };

/** For the messages of one owner, with its envelope and its events. */
export function identifier(envelope: Envelope | undefined, forms: readonly EventForm[]): Identify {
  const known = forms.map((form) => ({
    form,
    template: form.subject === undefined ? undefined : readTemplate(form.subject),
  }));
  const formsOf = (subject: string) =>
    known.filter(({ form, template }) => {
      if (template !== undefined) return template.matches(subject);
      const parts = parseSubject(subject);
      return parts?.action === form.action && `${parts.service}.${parts.entity}` === form.entity;
    });
  return (message) => {
    const candidates = formsOf(message.subject);
    const [first] = candidates;
    if (first === undefined) return documented(message);
    const { entity, action } = first.form;
    if (envelope === undefined) return { ...documented(message), entity, action };
    try {
      const opened = openEnvelope({ envelope, entity }, message, new Set());
      const found = candidates.find(({ form: { type } }) => type === undefined || type === opened.type);
      if (found === undefined) return UNKNOWN;
      const { form, template } = found;
      const inSubject =
        template === undefined ? parseSubject(message.subject)?.id : template.idOf(message.subject);
      const id = textIn(opened.data, form.idField) ?? inSubject;
      const { event_id, entity_id } = opened.metadata(id, textIn(opened.data, form.eventIdField));
      const { entity: owner, action: does } = form;
      return { entity: owner, action: does, id: entity_id || null, eventId: event_id, version: null };
    } catch {
      // It is a dead letter of whoever hears it.
      return { ...UNKNOWN, entity };
    }
  };
}

/** The envelope of a mesh. Where bodies were left out, the header has the event's id and the subject the entity's. */
function documented({ subject, body, headers }: StoredMessage): MessageIdentity {
  const { event_id, entity_id, version } = metadataOf(body);
  const parts = parseSubject(subject);
  return {
    entity: parts === undefined ? null : `${parts.service}.${parts.entity}`,
    id: textOf(entity_id) ?? parts?.id ?? null,
    action: parts?.action ?? null,
    eventId: textOf(event_id) ?? headers["Nats-Msg-Id"] ?? null,
    version: typeof version === "number" ? version : null,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textIn(data: unknown, field: string | undefined): string | undefined {
  if (field === undefined || typeof data !== "object" || data === null) return undefined;
  const value = fieldOf(data as Readonly<Record<string, unknown>>, field);
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** What is no such message has none. */
function metadataOf(body: Uint8Array): Partial<Readonly<Record<keyof Metadata, unknown>>> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    const metadata = typeof parsed === "object" && parsed !== null && "metadata" in parsed && parsed.metadata;
    return typeof metadata === "object" && metadata !== null ? metadata : {};
  } catch {
    return {};
  }
}
