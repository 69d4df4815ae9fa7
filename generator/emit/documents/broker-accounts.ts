import { disjoint } from "../../model/filters.js";
import type { Consumer, Event, Service } from "../../model/mesh.js";
import type { Lookup } from "../lookup.js";

/*
 * An account for each service, and one of the mesh, in which the streams are: what nats.conf and JWTs both say.
 *
 * Permissions alone do not hold: the broker answers a request with its own authority, and does not check where the
 * answer goes. A pull whose reply is `$JS.API.STREAM.DELETE.X` deletes X, an ack's answer writes into any stream.
 * Answers to another account stay in that account, where there is nothing but what the service may do anyway.
 *
 * A service speaks to the mesh by service imports alone: its own events, and the few calls of JetStream that it needs.
 * Each of these calls is mapped to a name of the account's own: under `$JS.API` the broker would answer as well, that
 * this account has no JetStream. Clients need not know of it, in any language.
 */

export interface BrokerAccounts {
  /** What other accounts may import from the mesh's own, each open to those alone that need it. */
  readonly exports: readonly ServiceExport[];
  readonly accounts: readonly ServiceAccount[];
}

export interface ServiceExport {
  readonly subject: string;
  /** Names of the accounts that may import it. */
  readonly accounts: readonly string[];
  /** Answered by many messages. */
  readonly manyAnswers: boolean;
}

export interface ServiceAccount {
  /** Of the service, its account and its user. */
  readonly name: string;
  readonly permissions: Permitted;
  /** Of a call, to the account's own name for it. */
  readonly mappings: readonly { readonly from: string; readonly to: string }[];
  /** From the mesh's account. */
  readonly imports: readonly { readonly subject: string; readonly to?: string }[];
  /** What it publishes, as filters without overlap. */
  readonly events: readonly string[];
}

/** Upper case keeps it apart from the accounts of services. */
export const MESH = "MESH";
/** Who provisions and operates the mesh; no service may be called so. */
export const OPERATOR = "mesh_operator";
/** More than any service uses; so that one that runs wild leaves connections to the others. */
export const LIMITS = { connections: 1_000, subscriptions: 10_000 } as const;
/** No server of somebody else's joins ours with a service's login. */
export const CONNECTION_TYPES = ["STANDARD", "WEBSOCKET"] as const;

const API = "$JS.API";
/** Within a service's account. Events have four tokens, calls more. */
const API_THERE = "JS.MESH.API";

export function brokerAccounts(lookup: Lookup): BrokerAccounts {
  const services = lookup.mesh.services.map((service) => ({ service, needs: needsOf(service, lookup) }));
  return {
    exports: exportsFor(services),
    accounts: services.map(({ service, needs }) => ({
      name: service.name,
      permissions: permitted(service, needs),
      mappings: needs.filter(isCall).map((need) => ({ from: need.subject, to: ownName(need) })),
      imports: needs.map((need) => ({
        subject: need.subject,
        ...(isCall(need) ? { to: ownName(need) } : {}),
      })),
      events: needs.filter(({ kind }) => kind === "event").map(({ subject }) => subject),
    })),
  };
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
export function filtersOf(events: readonly Event[]): readonly string[] {
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

function exportsFor(
  services: readonly { readonly service: Service; readonly needs: readonly Need[] }[],
): readonly ServiceExport[] {
  const askers = new Map<string, { readonly kind: Need["kind"]; readonly accounts: string[] }>();
  for (const { service, needs } of services) {
    for (const { subject, kind } of needs) {
      const known = askers.get(subject) ?? { kind, accounts: [] };
      known.accounts.push(service.name);
      askers.set(subject, known);
    }
  }
  return [...askers].map(([subject, { kind, accounts }]) => ({
    subject,
    accounts,
    manyAnswers: kind === "pull",
  }));
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

function isCall({ kind }: Need): boolean {
  return kind === "call" || kind === "pull";
}

/** `JS.MESH.API.STREAM.INFO.AUTH` */
function ownName({ subject }: Need): string {
  return API_THERE + subject.slice(API.length);
}

/**
 * Where answers arrive. The runtime's inboxes have a prefix of their own; a client written by hand may have the usual
 * one, which nobody shares within an account.
 */
function inboxes({ name, external }: Service): readonly string[] {
  return [`_INBOX_${name}.>`, ...(external ? ["_INBOX.>"] : [])];
}
