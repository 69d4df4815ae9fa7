import { encodeToken, subjectOf } from "@meshwright/runtime/simulation";
import type { SimulatedServer } from "./broker/index.js";
import type { CoverageCounter } from "./coverage.js";
import { withId } from "./foreign-entities.js";
import type { ForeignEntity, ForeignEvent, Payload } from "./mesh.js";
import type { Plan, Write } from "./plan.js";
import type { Random } from "./random.js";
import type { Actor, Schedule } from "./schedule.js";

/*
 * External services at work: what they own, and the messages that they publish of it, in their own order, until the broker took each.
 */

export interface ForeignOwner {
  readonly entity: ForeignEntity;
  /** What it owns now: by id the payload fields as its events said them. It may be ahead of what it published. */
  readonly living: ReadonlyMap<string, Payload>;
  /** Ids that were ever alive. */
  readonly known: ReadonlySet<string>;
  /** Messages that the broker did not take yet. */
  pending(): number;
  /** Gives the ids that it deleted. */
  write(write: Write): readonly string[];
  /** No message leaves it any more. */
  end(): void;
}

interface Message {
  /** `field.probe.measured` */
  readonly event: string;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** A second delivery would be recognised. */
  readonly isIdentified: boolean;
}

const RETRY_MS = 500;
/** Share of messages that are published twice, the second time after later ones, at the highest level of `duplicates`. */
const REPEATED = 0.1;

interface Surroundings {
  readonly schedule: Schedule;
  readonly server: SimulatedServer;
  readonly random: Random;
  readonly plan: Plan;
  readonly coverage: CoverageCounter;
}

export function createForeignOwner(
  { schedule, server, random, plan, coverage }: Surroundings,
  entity: ForeignEntity,
): ForeignOwner {
  const actor: Actor = { name: entity.service, alive: true, frozen: false, weight: 2 };
  const living = new Map<string, Payload>();
  const known = new Set<string>();
  const queue: Message[] = [];
  let publishing = false;
  let count = 0;

  const drain = async () => {
    if (publishing) return;
    publishing = true;
    for (let message = queue[0]; message !== undefined && actor.alive; message = queue[0]) {
      const { subject, body, headers } = message;
      const ack = await schedule.step(actor, `publish ${subject}`, () =>
        server.inject(subject, body, headers),
      );
      if (ack === undefined) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      else {
        queue.shift();
        coverage.count("event published", message.event);
        const repeats = message.isIdentified && random.chance(REPEATED * plan.network.duplicates);
        if (repeats) queue.push({ ...message, isIdentified: false });
      }
    }
    publishing = false;
  };
  const tell = (change: string, id: string, write: Write) => {
    const events = entity.events.filter(({ definition }) => definition.change === change);
    const event = events[(write.value + count) % events.length];
    if (event === undefined) return undefined;
    count += 1;
    const payload = payloadOf(entity, event, { id, number: write.value + count, count });
    const message = messageOf(entity, event, { id, payload, count });
    queue.push({ ...message, event: `${entity.entity}.${event.definition.action}` });
    void drain();
    return { event, payload };
  };
  const create = (id: string, write: Write) => {
    const told = tell("create", id, write) ?? tell("update", id, write);
    if (told !== undefined) living.set(id, merged({}, told.event, told.payload));
    known.add(id);
  };
  const update = (id: string, write: Write) => {
    const told = tell("update", id, write);
    if (told !== undefined) living.set(id, merged(living.get(id) ?? {}, told.event, told.payload));
  };
  const remove = (id: string, write: Write): readonly string[] => {
    if (!living.has(id) || tell("delete", id, write) === undefined) return [];
    living.delete(id);
    return [id];
  };

  return {
    entity,
    living,
    known,
    pending: () => queue.length,
    end() {
      actor.alive = false;
    },
    write(write) {
      const id = entity.ids[write.key % entity.ids.length] ?? "";
      const isLiving = living.has(id);
      switch (write.kind) {
        case "insert":
          if (!isLiving) create(id, write);
          return [];
        case "update":
          if (isLiving) update(id, write);
          else create(id, write);
          return [];
        case "delete":
          return remove(id, write);
        case "recreate":
        case "recreate and update": {
          const deleted = remove(id, write);
          if (!living.has(id)) create(id, write);
          if (write.kind === "recreate and update") update(id, write);
          return deleted;
        }
        case "insert all":
          for (const one of entity.ids) if (!living.has(one)) create(one, write);
          return [];
        case "delete all":
          return entity.ids.flatMap((one) => remove(one, write));
        case "swap":
          // An occurrence changes nothing of its entity.
          tell("none", id, write);
          return [];
        default:
          return write.kind satisfies never;
      }
    },
  };
}

/** A field that an event may carry and leaves out is none any more. */
function merged(before: Payload, { definition }: ForeignEvent, payload: Payload): Payload {
  const told = Object.fromEntries(definition.fields.map((field) => [field, payload[field] ?? null]));
  return { ...before, ...told };
}

function payloadOf(
  { idFields }: ForeignEntity,
  { definition, payloads }: ForeignEvent,
  { id, number, count }: { readonly id: string; readonly number: number; readonly count: number },
): Payload {
  const payload = withId(payloads[number % payloads.length] ?? {}, idFields, id);
  const { eventIdField } = definition;
  if (eventIdField === undefined) return payload;
  return { ...payload, [eventIdField]: typeof payload[eventIdField] === "number" ? count : `event-${count}` };
}

interface Told {
  readonly id: string;
  readonly payload: Payload;
  readonly count: number;
}

function messageOf(entity: ForeignEntity, { definition }: ForeignEvent, told: Told): Omit<Message, "event"> {
  const { id, payload, count } = told;
  const { action, eventIdField } = definition;
  const subject = subjectFor(entity, definition.subject, { id, action, count });
  const body = (value: unknown) => Buffer.from(JSON.stringify(value));
  const eventId = `00000000-0000-4000-8000-${String(count).padStart(12, "0")}`;
  switch (entity.envelope) {
    case "mesh": {
      const timestamp = Math.floor(Date.now() / 1_000);
      const metadata = { event_id: eventId, entity_id: id, timestamp, source: `${entity.service}-service` };
      return { subject, body: body({ metadata, ...payload }), headers: {}, isIdentified: true };
    }
    case "cloudevents": {
      const type = definition.type ?? `${entity.entity}.${action}`;
      const attributes = { specversion: "1.0", id: eventId, source: `/${entity.service}`, type };
      // Structured and binary in turns.
      if (count % 2 === 0) {
        const whole = { ...attributes, subject: id, datacontenttype: "application/json", data: payload };
        return { subject, body: body(whole), headers: {}, isIdentified: true };
      }
      const named = { ...attributes, subject: encodeURIComponent(id) };
      const headers = Object.fromEntries(Object.entries(named).map(([name, text]) => [`ce-${name}`, text]));
      return { subject, body: body(payload), headers, isIdentified: true };
    }
    case "none": {
      const headers: Record<string, string> =
        eventIdField === undefined && count % 2 === 0 ? { "Nats-Msg-Id": `${entity.entity} ${eventId}` } : {};
      const isIdentified = eventIdField !== undefined || count % 2 === 0;
      return { subject, body: body(payload), headers, isIdentified };
    }
    default:
      return entity.envelope satisfies never;
  }
}

/** A template's `{id}` is the id, `*` any token, a final `>` one or two. */
export function subjectFor(
  { entity }: Pick<ForeignEntity, "entity">,
  template: string | undefined,
  { id, action, count }: { readonly id: string; readonly action: string; readonly count: number },
): string {
  if (template === undefined) {
    const [service = "", name = ""] = entity.split(".");
    return subjectOf({ service, entity: name, id, action });
  }
  return template
    .split(".")
    .map((token) => {
      if (token === "{id}") return encodeToken(id);
      if (token === "*") return `any-${count % 2}`;
      return token === ">" ? ["rest", "rest.more"][count % 2] : token;
    })
    .join(".");
}
