import { streamDefaults } from "@meshwright/runtime/defaults";
import type { Event, Field, Service, Stream } from "../../model/mesh.js";
import { serviceTitle } from "../../model/service-title.js";
import { call, code, differing, documented, type Literal, SPREAD } from "../print/layout.js";
import { eventSentence } from "../wording.js";
import { constantStatement } from "./constant.js";
import { docComment, docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { Interface, SourceText } from "./printer.js";
import { fieldProperty, importTypes } from "./type-interfaces.js";
import { COMPILED } from "./validators.js";

/** events.ts: what a service says to others: the messages, what the runtime must know of each, and the stream that holds them. */
export function eventsSource(
  service: Service,
  events: readonly Event[],
  stream: Stream | undefined,
): SourceText {
  const imports = gatherImports(...events.map((event) => event.name));
  importTypes(events, imports);
  const definitions = events.length === 0 ? [] : [eventsConstant(service, events, imports)];
  const ofStream = stream === undefined ? [] : [streamConstant(service, stream, imports)];
  return {
    imports,
    statements: [...events.map((event) => eventInterface(event, imports)), ...definitions, ...ofStream],
  };
}

/** `authEvents`: its constant's name, in `auth/events.ts`. */
export function eventsConstantName(service: Service): string {
  return `${service.names.value}Events`;
}

/** `authStream`: its constant's name, in `auth/events.ts`. */
export function streamConstantName(service: Service): string {
  return `${service.names.value}Stream`;
}

function eventInterface(event: Event, imports: Imports): Interface {
  return {
    name: event.name,
    extends: [imports.type(RUNTIME, "MeshEvent")],
    docs: docs(`${eventSentence(event)} Subject \`${event.foreign?.subject ?? event.subject}\`.`),
    properties: event.payload.map(fieldProperty),
  };
}

/** What the publisher and all consumers know an event by; its doc comment is shown wherever it is named. */
function eventsConstant(service: Service, events: readonly Event[], imports: Imports): string {
  const compiled = imports.all(`./${COMPILED}.js`, "compiled");
  const definitions = events.map((event) => [
    event.names.value,
    documented(docComment(docs(`${eventSentence(event)}${impliedBy(event)}`)), {
      entity: event.entity,
      action: event.action,
      change: event.change,
      ...(event.foreign ?? {}),
      members: membersLiteral(event),
      [SPREAD]: code(`${compiled}.${event.name}`),
    }),
  ]);
  return constantStatement({
    name: eventsConstantName(service),
    value: Object.fromEntries(definitions),
    satisfies: imports.type(RUNTIME, "EventDefinitions"),
    docs: docs(`The events of ${serviceTitle(service.name)}.`),
  });
}

/** Fields that the owner's rows show otherwise. What was before, and what other rows hold, they do not show. */
function membersLiteral({ payload }: Pick<Event, "payload">): Literal | undefined {
  const otherwise = payload.flatMap((field) => {
    const member = memberLiteral(field);
    return member === undefined || member === field.name ? [] : [[field.name, member] as const];
  });
  return otherwise.length === 0 ? undefined : Object.fromEntries(otherwise);
}

function memberLiteral({ source }: Field): Literal | undefined {
  switch (source?.kind) {
    case "column":
      return source.member;
    case "constant":
      return { constant: source.value };
    case "object": {
      const members = source.fields.flatMap((field) => {
        const member = memberLiteral(field);
        return member === undefined ? [] : [[field.name, member] as const];
      });
      return { members: Object.fromEntries(members) };
    }
    case "old":
    case "referenced":
    case undefined:
      return undefined;
    default:
      return source satisfies never;
  }
}

function impliedBy({ emit }: Event): string {
  return emit === undefined ? "" : ` Implied by \`${emit.table}\`.`;
}

function streamConstant(service: Service, stream: Stream, imports: Imports): string {
  const title = serviceTitle(service.name);
  return constantStatement({
    name: streamConstantName(service),
    value: call(imports.value(RUNTIME, "streamOf"), streamLiteral(stream)),
    docs: docs(
      stream.external
        ? `Holds the events of ${title}, which owns it: it is waited for, never created or changed.`
        : `Holds the events of ${title}.`,
    ),
  });
}

function streamLiteral(stream: Stream): Literal {
  return {
    name: stream.name,
    subjects: stream.subjects,
    replicas: stream.replicas,
    ...differing(
      {
        maxAgeSeconds: stream.maxAgeSeconds,
        maxMessages: stream.maxMessages,
        maxBytes: stream.maxBytes,
        duplicateWindowSeconds: stream.duplicateWindowSeconds,
        // For ever.
        tombstoneSeconds: stream.tombstoneSeconds ?? 0,
      },
      streamDefaults,
    ),
    external: stream.external ? true : undefined,
    envelope: stream.envelope,
  };
}
