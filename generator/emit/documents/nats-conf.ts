import { disjoint } from "../../model/filters.js";
import type { Consumer, Event, Service } from "../../model/mesh.js";
import { natsComment, natsText } from "../../quote/nats.js";
import type { Lookup } from "../lookup.js";

/*
 * nats.conf: an account for each service, and one of the mesh, in which the streams are.
 *
 * Permissions alone do not hold: the broker answers a request with its own authority, and does not check where the
 * answer goes. A pull whose reply is `$JS.API.STREAM.DELETE.X` deletes X, an ack's answer writes into any stream.
 * Answers to another account stay in that account, where there is nothing but what the service may do anyway.
 *
 * A service speaks to the mesh by service imports alone: its own events, and the few calls of JetStream that it needs.
 * Each of these calls is mapped to a name of the account's own: under `$JS.API` the broker would answer as well, that
 * this account has no JetStream. Clients need not know of it, in any language.
 */
export interface BrokerView {
  readonly header: string;
  /** One of the variables, for the comment that says how to write them. */
  readonly passwordExample: string;
  readonly mesh: string;
  readonly operator: BrokerUser;
  /** What other accounts may import, a line each. */
  readonly exports: readonly string[];
  readonly accounts: readonly BrokerAccount[];
}

export interface BrokerAccount {
  readonly title: string;
  /** Escaped, to stand between quotes, as all names here. */
  readonly name: string;
  readonly user: BrokerUser;
  /** Lines of the account: limits, mappings, exports, imports. */
  readonly blocks: readonly Block[];
}

export interface BrokerUser {
  readonly name: string;
  readonly passwordVariable: string;
  readonly permissions: readonly string[];
}

interface Block {
  readonly open: string;
  readonly lines: readonly string[];
  readonly close: string;
}

export interface BrokerOptions {
  /** Adds an account that hears every event and can do nothing else: whom `mesh dev` takes a client without credentials for. */
  readonly listener: boolean;
}

/** Upper case keeps both apart from the accounts of services. */
const MESH = "MESH";
export const LISTENER = "LISTENER";
/** Who provisions and operates the mesh; no service may be called so. */
export const OPERATOR = "mesh_operator";
/** Of the listener. Those of services end in NATS_PASSWORD. */
export const LISTENER_PASSWORD = "NATS_LISTENER_PASSWORD";

const API = "$JS.API";
/** Within a service's account. Events have four tokens, calls more. */
const API_THERE = "JS.MESH.API";

export function brokerView(
  lookup: Lookup,
  header: string,
  options: BrokerOptions = { listener: false },
): BrokerView {
  const services = lookup.mesh.services.map((service) => ({ service, needs: needsOf(service, lookup) }));
  const passwordVariable = passwordVariableOf(OPERATOR);
  const heard = options.listener
    ? lookup.mesh.services.flatMap((service) => filtersOf(lookup.events(service)))
    : [];
  return {
    header,
    passwordExample: passwordVariable,
    mesh: MESH,
    operator: { name: OPERATOR, passwordVariable, permissions: [] },
    exports: [...exportsFor(services), ...heard.map(exportToListener)],
    accounts: [
      ...services.map(({ service, needs }) => serviceAccount(service, needs, options)),
      ...(options.listener ? [listenerAccount(lookup)] : []),
    ],
  };
}

/** `AUTH_NATS_PASSWORD` */
export function passwordVariableOf(user: string): string {
  return `${user.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_NATS_PASSWORD`;
}

interface Need {
  readonly subject: string;
  /** `pull`: answered by many messages. */
  readonly kind: "event" | "letter" | "call" | "pull" | "ack";
}

function needsOf(service: Service, lookup: Lookup): readonly Need[] {
  const needs: Need[] = [
    ...filtersOf(lookup.events(service)).map((subject): Need => ({ subject, kind: "event" })),
    ...(service.stream === undefined ? [] : ownStream(service.stream)),
    ...service.consumers.flatMap(subscription),
    ...(service.deadLetters === undefined ? [] : ownLetters(service.name, service.deadLetters.stream)),
  ];
  return [...new Map(needs.map((need) => [need.subject, need])).values()];
}

/** The broker takes no two that overlap, as subjects of an external service's own form may. */
function filtersOf(events: readonly Event[]): readonly string[] {
  const filters = events.map(({ filter }) => filter);
  return events.some(({ foreign }) => foreign?.subject !== undefined) ? disjoint(filters) : filters;
}

/** What the relay needs beside publishing: to see its stream and read the newest message of it. */
function ownStream(stream: string): readonly Need[] {
  return [
    { subject: `${API}.STREAM.INFO.${stream}`, kind: "call" },
    { subject: `${API}.STREAM.MSG.GET.${stream}`, kind: "call" },
  ];
}

/** Keeping dead letters and attempts, and forgetting attempts once they are over. */
function ownLetters(service: string, stream: string): readonly Need[] {
  return [
    { subject: `$MESH.${service}.>`, kind: "letter" },
    { subject: `${API}.STREAM.INFO.${stream}`, kind: "call" },
    { subject: `${API}.STREAM.MSG.GET.${stream}`, kind: "call" },
    { subject: `${API}.STREAM.MSG.DELETE.${stream}`, kind: "call" },
  ];
}

/** Pulling and acking one durable. From 2.15 on an ack's subject has a domain and an account in front. */
function subscription({ stream, durable }: Consumer): readonly Need[] {
  return [
    { subject: `${API}.STREAM.INFO.${stream}`, kind: "call" },
    { subject: `${API}.CONSUMER.INFO.${stream}.${durable}`, kind: "call" },
    { subject: `${API}.CONSUMER.MSG.NEXT.${stream}.${durable}`, kind: "pull" },
    { subject: `$JS.ACK.${stream}.${durable}.>`, kind: "ack" },
    { subject: `$JS.ACK.*.*.${stream}.${durable}.>`, kind: "ack" },
  ];
}

/** One for each subject, open to those accounts alone that need it. */
function exportsFor(
  services: readonly { readonly service: Service; readonly needs: readonly Need[] }[],
): string[] {
  const askers = new Map<string, { readonly kind: Need["kind"]; readonly accounts: string[] }>();
  for (const { service, needs } of services) {
    for (const { subject, kind } of needs) {
      const known = askers.get(subject) ?? { kind, accounts: [] };
      known.accounts.push(quote(service.name));
      askers.set(subject, known);
    }
  }
  return [...askers].map(([subject, { kind, accounts }]) => {
    const answers = kind === "pull" ? ", response_type: Stream" : "";
    return `{ service: ${quote(subject)}, accounts: [${accounts.join(", ")}]${answers} }`;
  });
}

function serviceAccount(
  service: Service,
  needs: readonly Need[],
  { listener }: BrokerOptions,
): BrokerAccount {
  const calls = needs.filter(isCall);
  const events = needs.filter(({ kind }) => kind === "event");
  return {
    title: natsComment(`The ${service.name} service.`),
    name: natsText(service.name),
    user: {
      name: natsText(service.name),
      passwordVariable: passwordVariableOf(service.name),
      permissions: permissions(permitted(service, needs)),
    },
    blocks: [
      LIMITS,
      block(
        "mappings: {",
        calls.map((need) => `${quote(need.subject)}: ${quote(ownName(need))}`),
        "}",
      ),
      block("exports: [", listener ? events.map(({ subject }) => exportToListener(subject)) : [], "]"),
      block("imports: [", needs.map(importOf), "]"),
    ].filter(({ lines }) => lines.length > 0),
  };
}

/** The subjects that a service's user may use, within its account. */
export interface Permitted {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export function permissionsOf(service: Service, lookup: Lookup): Permitted {
  return permitted(service, needsOf(service, lookup));
}

function permitted(service: Service, needs: readonly Need[]): Permitted {
  return {
    // The broker checks permissions after the mapping.
    publish: needs.map((need) => (isCall(need) ? ownName(need) : need.subject)),
    subscribe: needs.length === 0 ? [] : inboxes(service),
  };
}

/** More than any service uses; so that one that runs wild leaves connections to the others. */
const LIMITS = block("limits: {", ["max_connections: 1000", "max_subscriptions: 10000"], "}");

function isCall({ kind }: Need): boolean {
  return kind === "call" || kind === "pull";
}

/** `JS.MESH.API.STREAM.INFO.AUTH` */
function ownName({ subject }: Need): string {
  return API_THERE + subject.slice(API.length);
}

function importOf(need: Need): string {
  const from = `{ account: ${quote(MESH)}, subject: ${quote(need.subject)} }`;
  return isCall(need) ? `{ service: ${from}, to: ${quote(ownName(need))} }` : `{ service: ${from} }`;
}

/**
 * Where answers arrive. The runtime's inboxes have a prefix of their own; a client written by hand may have the usual
 * one, which nobody shares within an account.
 */
function inboxes({ name, external }: Service): readonly string[] {
  return [`_INBOX_${name}.>`, ...(external ? ["_INBOX.>"] : [])];
}

/** Only what is listed; the broker takes an empty list for everything. */
function permissions({ publish, subscribe }: Permitted): readonly string[] {
  const list = (subjects: readonly string[]) =>
    subjects.length === 0
      ? [`deny: [">"]`]
      : ["allow: [", ...subjects.map((subject) => `  ${quote(subject)}`), "]"];
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return [
    "permissions: {",
    ...indented(["publish: {", ...indented(list(publish)), "}"]),
    ...indented(["subscribe: {", ...indented(list(subscribe)), "}"]),
    "}",
    // No server of somebody else's joins ours with a service's password.
    `allowed_connection_types: ["STANDARD", "WEBSOCKET"]`,
  ];
}

function exportToListener(subject: string): string {
  return `{ stream: ${quote(subject)}, accounts: [${quote(LISTENER)}] }`;
}

/** Receives each event from the account that publishes it: its owner's, or the operator's in its stead. */
function listenerAccount(lookup: Lookup): BrokerAccount {
  const imports = lookup.mesh.services.flatMap((service) =>
    filtersOf(lookup.events(service)).flatMap((subject) =>
      [service.name, MESH].map(
        (account) => `{ stream: { account: ${quote(account)}, subject: ${quote(subject)} } }`,
      ),
    ),
  );
  return {
    title: "Whoever has no credentials: hears every event, and can do nothing else.",
    name: LISTENER,
    user: {
      name: LISTENER,
      passwordVariable: LISTENER_PASSWORD,
      permissions: permissions({ publish: [], subscribe: [">"] }),
    },
    blocks: [LIMITS, block("imports: [", imports, "]")].filter(({ lines }) => lines.length > 0),
  };
}

function block(open: string, lines: readonly string[], close: string): Block {
  return { open, lines, close };
}

function quote(text: string): string {
  return `"${natsText(text)}"`;
}
