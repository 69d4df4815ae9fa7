import { type StatementStructures, StructureKind } from "ts-morph";
import type { Event, Service } from "../../model/mesh.js";
import { call, code, type Literal, printTypeScript, RETURNED } from "../print/layout.js";
import { eventSentence, serviceTitle } from "../wording.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

/** publisher.ts: the service's own events, and no others, as methods. */
export function publisherSource(service: Service, events: readonly Event[]): SourceText {
  const { type, value } = service.names;
  const imports = gatherImports(`${type}Publisher`, `${value}Publisher`, "tx", "publish", "Promise");
  return {
    imports,
    statements: [publisherInterface(service, events, imports), publisherFunction(service, events, imports)],
  };
}

function publisherInterface(
  service: Service,
  events: readonly Event[],
  imports: Imports,
): StatementStructures {
  return {
    kind: StructureKind.Interface,
    name: `${service.names.type}Publisher`,
    isExported: true,
    docs: docs(
      `Events of ${serviceTitle(service.name)}, published by hand. What a table implies is already written by its triggers.`,
    ),
    methods: events.map((event) => ({
      name: event.names.value,
      docs: docs(`${eventSentence(event)}${impliedBy(event)}`),
      parameters: [
        { name: "entityId", type: "string" },
        {
          name: "payload",
          type: `${imports.type(RUNTIME, "Payload")}<${imports.type("./events.js", event.name)}>`,
        },
      ],
      returnType: "Promise<void>",
    })),
  };
}

function impliedBy(event: Event): string {
  return event.emit === undefined ? "" : ` Implied by \`${event.emit.table}\`.`;
}

function publisherFunction(
  service: Service,
  events: readonly Event[],
  imports: Imports,
): StatementStructures {
  const methods = Object.fromEntries(events.map((event) => [event.names.value, publishCall(event, imports)]));
  return {
    kind: StructureKind.Function,
    name: `${service.names.value}Publisher`,
    isExported: true,
    docs: docs(
      "Writes events to the outbox within the transaction `tx`: they leave once it commits, or never.",
    ),
    parameters: [{ name: "tx", type: imports.type(RUNTIME, "Tx") }],
    returnType: `${service.names.type}Publisher`,
    statements: [publishFunction(service, imports), `return ${printTypeScript(methods, RETURNED)};`],
  };
}

/** Positional, so that each event takes one line of the file. */
function publishFunction({ source, name }: Service, imports: Imports): string {
  const origin = `source: ${JSON.stringify(source)}, service: ${JSON.stringify(name)}`;
  return `const publish =
  (validate: ${imports.type(RUNTIME, "Validator")}<${imports.type(RUNTIME, "MeshEvent")}>, name: string, entity: string, action: string, fields: string[]) =>
  (entityId: string, payload: object) => {
    const event = { name, entity, action, fields, validate };
    return ${imports.value(RUNTIME, "enqueueEvent")}(tx, { ${origin}, event, entityId, payload });
  };`;
}

function publishCall({ name, entity, action, payload, names }: Event, imports: Imports): Literal {
  const fields = payload.map((field) => field.name);
  const validate = code(imports.value("./validators.js", names.validator));
  return call("publish", validate, name, entity, action, fields);
}
