import { permissionsOf } from "../emit/documents/broker-accounts.js";
import { consumerPlan, streamPlan } from "../emit/documents/broker-plan.js";
import type { Lookup } from "../emit/lookup.js";
import type { Literal } from "../emit/print/layout.js";
import type { Cascade, Event, Service, Subscription } from "../model/mesh.js";
import { serviceTitle } from "../model/service-title.js";
import { componentSchemas, eventMessage } from "./asyncapi-messages.js";

/*
 * AsyncAPI 3.0. What it has no words for stands under `x-`: JetStream's streams and durables, the broker's permissions, rules of deletion.
 */

type Document = { readonly [key: string]: Literal };

/** The whole mesh: each service's operations, named after it. */
export function meshAsyncApi(lookup: Lookup): Document {
  const { mesh } = lookup;
  return document(lookup, {
    id: mesh.name,
    title: mesh.name,
    description: mesh.description ?? "A mesh of services that are joined by events.",
    services: mesh.services,
    events: mesh.events,
  });
}

/** One service: what it sends and receives. */
export function serviceAsyncApi(service: Service, lookup: Lookup): Document {
  return document(lookup, {
    id: `${lookup.mesh.name}:${service.name}`,
    title: `${serviceTitle(service.name)} of ${lookup.mesh.name}`,
    description: service.description ?? `The events that ${serviceTitle(service.name)} sends and receives.`,
    services: [service],
    events: eventsAt(service, lookup),
  });
}

/** What it publishes and hears. */
export function eventsAt(service: Service, { mesh }: Lookup): readonly Event[] {
  const names = new Set([...service.events, ...service.consumers.flatMap(({ events }) => events)]);
  return mesh.events.filter(({ name }) => names.has(name));
}

interface Scope {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly services: readonly Service[];
  readonly events: readonly Event[];
}

function document(lookup: Lookup, { id, title, description, services, events }: Scope): Document {
  const streams = lookup.mesh.streams.filter(({ service }) =>
    events.some((event) => event.service === service),
  );
  const subscriptions = lookup.subscriptions.filter(({ service }) => services.includes(service));
  return {
    asyncapi: "3.0.0",
    id: `urn:meshwright:${id.split(":").map(encodeURIComponent).join(":")}`,
    info: { title, version: "1.0.0", description },
    defaultContentType: "application/json",
    servers: { nats: SERVER },
    channels: Object.fromEntries(events.map((event) => [channelName(event), channel(event, lookup)])),
    operations: Object.fromEntries([
      ...services.flatMap((service) => lookup.events(service).map((event) => sending(service, event))),
      ...subscriptions.flatMap((subscription) =>
        subscription.consumer.events.map((name) => receiving(subscription, lookup.event(name), lookup)),
      ),
    ]),
    components: {
      messages: Object.fromEntries(events.map((event) => [event.name, eventMessage(event, lookup)])),
      schemas: componentSchemas(lookup.mesh.types),
      securitySchemes: { user: { type: "userPassword", description: "One user for each service" } },
    },
    "x-jetstream-streams": streams.map(streamPlan),
    "x-nats-permissions": Object.fromEntries(
      services.map((service) => [service.name, { ...permissionsOf(service, lookup) }]),
    ),
  };
}

const SERVER: Literal = {
  host: "{host}",
  protocol: "nats",
  description: "The broker, with JetStream",
  variables: { host: { default: "localhost:4222", description: "As NATS_URL says it" } },
  security: [{ $ref: "#/components/securitySchemes/user" }],
};

/** `auth.user.created` */
function channelName({ service, entity, action }: Event): string {
  return `${service}.${entity}.${action}`;
}

function channel(event: Event, lookup: Lookup): Literal {
  const { foreign, name, service, entity, change, filter } = event;
  const address = foreign?.subject ?? event.subject;
  return {
    address,
    description: event.description,
    servers: [{ $ref: "#/servers/nats" }],
    messages: { [name]: { $ref: `#/components/messages/${name}` } },
    parameters: address.includes("{id}") ? { id: ID } : undefined,
    "x-jetstream-stream": lookup.service(service).stream,
    "x-nats-filter": filter,
    "x-mesh-entity": `${service}.${entity}`,
    "x-mesh-change": change,
  };
}

const ID: Literal = {
  description: "The entity's id, as one token of a subject: what is unsafe in it percent-encoded",
};

type Operation = readonly [name: string, operation: Literal];

function sending(service: Service, event: Event): Operation {
  const { emit } = event;
  return [
    `${service.name}_send_${event.name}`,
    {
      action: "send",
      ...onChannel(event),
      summary: `${serviceTitle(service.name)} publishes ${event.name}`,
      "x-mesh-service": service.name,
      "x-mesh-emitted-by": emit && { table: emit.table, on: emit.on, at: emit.at },
    },
  ];
}

function receiving(subscription: Subscription, event: Event, lookup: Lookup): Operation {
  const { service, consumer } = subscription;
  const rules = consumer.cascades.filter((rule) => rule.event === event.name);
  return [
    `${consumer.durable}_receive_${event.name}`,
    {
      action: "receive",
      ...onChannel(event),
      summary: `${serviceTitle(service.name)} hears ${event.name}`,
      "x-mesh-service": service.name,
      "x-jetstream-consumer": consumerPlan(subscription, lookup),
      "x-mesh-copy": consumer.cache,
      "x-mesh-cascades": rules.length === 0 ? undefined : rules.map(cascade),
    },
  ];
}

function cascade({ action, table, column, before }: Cascade): Literal {
  return { action, table, column, before };
}

function onChannel(event: Event): Document {
  const channel = `#/channels/${channelName(event)}`;
  return { channel: { $ref: channel }, messages: [{ $ref: `${channel}/messages/${event.name}` }] };
}
