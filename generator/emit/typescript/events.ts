import { type StatementStructures, StructureKind } from "ts-morph";
import type { Event, Service, Stream } from "../../model/mesh.js";
import type { Literal } from "../print/layout.js";
import { eventSentence, serviceTitle } from "../wording.js";
import { constantStatement } from "./constant.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";
import { propertyName, schemaType } from "./types.js";

/** events.ts: what a service says to others: the messages, and the stream that holds them. */
export function eventsSource(
  service: Service,
  events: readonly Event[],
  stream: Stream | undefined,
): SourceText {
  const imports = gatherImports(...events.map((event) => event.name));
  const statements = events.map((event) => eventInterface(event, imports));
  return {
    imports,
    statements: stream === undefined ? statements : [...statements, streamConstant(service, stream, imports)],
  };
}

/** `authStream`: its constant's name, in `auth/events.ts`. */
export function streamConstantName(service: Service): string {
  return `${service.names.value}Stream`;
}

function eventInterface(event: Event, imports: Imports): StatementStructures {
  return {
    kind: StructureKind.Interface,
    name: event.name,
    isExported: true,
    extends: [imports.type(RUNTIME, "MeshEvent")],
    docs: docs(`${eventSentence(event)} Subject \`${event.subject}\`.`),
    properties: event.payload.map((field) => ({
      name: propertyName(field.name),
      type: schemaType(field.schema),
      isReadonly: true,
      hasQuestionToken: field.optional,
      docs: docs(field.description ?? ""),
    })),
  };
}

function streamConstant(service: Service, stream: Stream, imports: Imports): string {
  const title = serviceTitle(service.name);
  return constantStatement({
    name: streamConstantName(service),
    type: imports.type(RUNTIME, "StreamDefinition"),
    value: streamLiteral(stream),
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
    maxAgeSeconds: stream.maxAgeSeconds,
    maxMessages: stream.maxMessages,
    maxBytes: stream.maxBytes,
    duplicateWindowSeconds: stream.duplicateWindowSeconds,
    tombstoneSeconds: stream.tombstoneSeconds,
    external: stream.external ? true : undefined,
  };
}
