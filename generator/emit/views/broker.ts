import type { Consumer, Service } from "../../model/mesh.js";
import { natsComment, natsText } from "../../quote/nats.js";
import type { Lookup } from "../lookup.js";

/** nats.conf: one user per service, allowed what it publishes and what it subscribes to. */
export interface BrokerView {
  readonly header: string;
  /** One of the variables, for the comment that says how to write them. */
  readonly passwordExample: string;
  readonly users: readonly BrokerUser[];
}

export interface BrokerUser {
  readonly title: string;
  readonly name: string;
  readonly passwordVariable: string;
  readonly publish: readonly string[];
  readonly subscribe: string;
}

/** Who provisions and operates the mesh. An underscore keeps the name apart from every service's. */
const OPERATOR = "mesh_operator";

export function brokerView(lookup: Lookup, header: string): BrokerView {
  const users = [...lookup.mesh.services.map((service) => serviceUser(service, lookup)), operator()];
  return { header, passwordExample: operator().passwordVariable, users };
}

function serviceUser(service: Service, lookup: Lookup): BrokerUser {
  const own = lookup.events(service).map((event) => `${event.service}.${event.entity}.*.${event.action}`);
  return user(service.name, `The ${service.name} service.`, [
    ...own,
    ...(service.stream === undefined ? [] : ownStream(service.stream)),
    ...service.consumers.flatMap(subscription),
  ]);
}

/** What the relay needs beside publishing: to see its stream and read the newest message of it. */
function ownStream(stream: string): string[] {
  return [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.MSG.GET.${stream}`];
}

/** Pulling and acking one durable. From 2.15 on an ack's subject has a domain and an account in front. */
function subscription({ stream, durable }: Consumer): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
    `$JS.ACK.*.*.${stream}.${durable}.>`,
  ];
}

/** Creates streams and consumers, which no service may, and reads what is stored to verify and redrive. */
function operator(): BrokerUser {
  return user(OPERATOR, "Whoever provisions and operates the mesh: may do everything.", [">"]);
}

/** An inbox of its own: through a shared one, any client reads what the others pull. */
function user(name: string, title: string, publish: readonly string[]): BrokerUser {
  const passwordVariable = `${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_NATS_PASSWORD`;
  const subscribe = name === OPERATOR ? ">" : `_INBOX_${name}.>`;
  const allowed = [...new Set(publish)].map(natsText);
  return { title: natsComment(title), name: natsText(name), passwordVariable, publish: allowed, subscribe };
}
