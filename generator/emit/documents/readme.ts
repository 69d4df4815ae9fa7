import { printMermaid } from "../../graph/mermaid.js";
import { drawPicture, reachAll } from "../../graph/picture.js";
import type { Call, Cascade, Event, Mesh, Service, Stream, Subscription } from "../../model/mesh.js";
import { ownServices } from "../../model/own-services.js";
import { serviceTitle } from "../../model/service-title.js";
import { schemaFileName } from "../json-schema/event.js";
import type { Lookup } from "../lookup.js";
import { eventSentence, listOf } from "../wording.js";
import { isUniform, type SharedVariable, sharedVariables } from "./env-example.js";
import { codeList, inCode, prose } from "./markdown.js";
import { bytes, duration, named } from "./units.js";

/** README.md of generated/: the mesh as the tables that people look for. Every value is a finished cell. */
export interface ReadmeView {
  readonly header: string;
  readonly title: string;
  readonly description: string;
  /** As a flowchart of Mermaid; undefined: code hosts draw none so large. */
  readonly picture: string | undefined;
  readonly services: readonly Record<"service" | "database" | "owns" | "publishes" | "subscribes", string>[];
  readonly entities: readonly {
    readonly title: string;
    readonly subjects: readonly Record<"subject" | "description" | "message", string>[];
  }[];
  readonly streams: readonly Record<
    "stream" | "owner" | "subjects" | "keeps" | "window" | "replicas",
    string
  >[];
  readonly consumers: readonly Record<
    "durable" | "service" | "stream" | "filter" | "cache" | "attempts",
    string
  >[];
  readonly calls: readonly Record<"caller" | "callee" | "may" | "key", string>[];
  readonly cascades: readonly Record<"subject" | "service" | "action", string>[];
  readonly variables: readonly Record<"name" | "description" | "services" | "value", string>[];
  /** Whether there is a folder `monitoring`. */
  readonly monitored: boolean;
}

export function readmeView(lookup: Lookup, header: string): ReadmeView {
  const { mesh, subscriptions } = lookup;
  return {
    header,
    title: mesh.name,
    description: prose(mesh.description ?? ""),
    picture: pictureOf(mesh),
    services: mesh.services.map((service) => serviceRow(service, lookup)),
    entities: entities(lookup),
    streams: [...mesh.streams.map(streamRow), ...mesh.services.flatMap(deadLetterRow)],
    consumers: subscriptions.map(consumerRow),
    calls: mesh.calls.map(callRow),
    cascades: subscriptions.flatMap(({ service, consumer }) =>
      consumer.cascades.map((cascade) => cascadeRow(cascade, service, lookup)),
    ),
    variables: sharedVariables(mesh).map(variableRow),
    monitored: ownServices(mesh.services).length > 0,
  };
}

/** Mermaid draws at most 500 arrows, and reads at most 50,000 characters. */
function pictureOf(mesh: Mesh): string | undefined {
  const picture = drawPicture(mesh, reachAll(mesh));
  const text = printMermaid(picture).trimEnd();
  return picture.arrows.length > 500 || text.length > 50_000 ? undefined : text;
}

function serviceRow(service: Service, lookup: Lookup): ReadmeView["services"][number] {
  return {
    service: `**${serviceTitle(service.name)}**${service.external ? " (external)" : ""}`,
    database: databaseCell(service, lookup),
    owns: listOf([...lookup.tables(service), ...lookup.views(service)].map(({ name }) => name)),
    publishes: codeList(service.publishes.map((pattern) => pattern.text)),
    subscribes: codeList(service.subscribes.map((pattern) => pattern.text)),
  };
}

function databaseCell(service: Service, lookup: Lookup): string {
  const { database, external } = service;
  const host = lookup.database(service)?.shared?.with;
  if (database !== undefined)
    return host === undefined ? inCode(database) : `${inCode(database)} in ${inCode(host)}`;
  return external ? "-" : "none: stateless, its hooks are called at least once per message";
}

function entities(lookup: Lookup): ReadmeView["entities"] {
  const groups = new Map<string, Event[]>();
  for (const event of lookup.mesh.events) {
    const title = `${serviceTitle(event.entity)} events of ${serviceTitle(event.service)}`;
    groups.set(title, [...(groups.get(title) ?? []), event]);
  }
  return [...groups].map(([title, events]) => ({ title, subjects: events.map(subjectRow) }));
}

function subjectRow(event: Event): ReadmeView["entities"][number]["subjects"][number] {
  return {
    subject: inCode(event.foreign?.subject ?? event.subject),
    description:
      event.description === undefined
        ? eventSentence(event, { prose, code: inCode })
        : prose(event.description),
    message: `[${event.name}](schemas/${schemaFileName(event)})`,
  };
}

function streamRow(stream: Stream): ReadmeView["streams"][number] {
  const names = {
    stream: inCode(stream.name),
    owner: serviceTitle(stream.service),
    subjects: codeList(stream.subjects),
  };
  if (stream.external && !stream.described)
    return { ...names, keeps: "what its owner lets it", window: "-", replicas: "-" };
  const limits = [
    duration(stream.maxAgeSeconds),
    named(stream.maxMessages, "message"),
    bytes(stream.maxBytes),
  ];
  return {
    ...names,
    keeps: limits.join(", "),
    window: duration(stream.duplicateWindowSeconds),
    replicas: replicasCell(stream.replicas),
  };
}

function replicasCell(replicas: number | undefined): string {
  return replicas === undefined ? "1 in development, 3 in production" : String(replicas);
}

/** Where a service without a database keeps what its hooks could not handle. */
function deadLetterRow({ name, deadLetters }: Service): ReadmeView["streams"] {
  if (deadLetters === undefined) return [];
  return [
    {
      stream: inCode(deadLetters.stream),
      owner: serviceTitle(name),
      subjects: inCode(`$MESH.${name}.>`),
      keeps: "its dead letters, until `mesh dlq` redrives or discards them",
      window: duration(120),
      replicas: replicasCell(deadLetters.replicas),
    },
  ];
}

function consumerRow({ service, consumer }: Subscription): ReadmeView["consumers"][number] {
  const { attempts, backoffSeconds } = consumer.delivery;
  return {
    durable: inCode(consumer.durable),
    service: serviceTitle(service.name),
    stream: inCode(consumer.stream),
    filter: inCode(consumer.filter),
    cache: consumer.cache === undefined ? "-" : inCode(consumer.cache),
    attempts: service.external
      ? "as its own code has it"
      : `${attempts}, after waits of ${backoffSeconds.map(duration).join(", ")}`,
  };
}

function callRow({ caller, callee, grants, keyVariable }: Call): ReadmeView["calls"][number] {
  return {
    caller: serviceTitle(caller),
    callee: serviceTitle(callee),
    may: grants.map(({ path, verbs }) => `${verbs.join(", ")} ${inCode(path)}`).join("; "),
    key: inCode(keyVariable),
  };
}

function cascadeRow(cascade: Cascade, service: Service, lookup: Lookup): ReadmeView["cascades"][number] {
  return {
    subject: inCode(lookup.event(cascade.event).subject),
    service: `**${serviceTitle(service.name)}**`,
    action: outcomeOf(cascade),
  };
}

function outcomeOf({ action, table, column, before }: Cascade): string {
  const held = inCode(`${table}.${column}`);
  const first = before === undefined ? "" : `, ${inCode(before)} first`;
  switch (action) {
    case "set_null":
      return `${held} set to NULL`;
    case "delete":
      return `rows of ${inCode(table)} deleted by ${held}${first}`;
    default:
      return action satisfies never;
  }
}

function variableRow(variable: SharedVariable): ReadmeView["variables"][number] {
  return {
    name: inCode(variable.name),
    description: prose(variable.description),
    services: listOf(variable.readers.map((reader) => reader.service)),
    value: variableValue(variable),
  };
}

function variableValue(variable: SharedVariable): string {
  const shown = variable.readers.map(({ required, default: value }) => {
    if (required) return "required";
    return value === undefined ? "-" : inCode(value);
  });
  if (isUniform(variable)) return shown[0] ?? "-";
  return variable.readers.map(({ service }, index) => `${service}: ${shown[index]}`).join(", ");
}
