import { printDuration } from "../language/words.js";
import type { Consumer, EnvironmentVariable, Mesh, Service } from "../model/mesh.js";
import { compareCascades } from "./cascade-changes.js";
import { type Change, type ChangeKind, type Concern, changeOf, type Path } from "./change.js";
import { compareDatabaseOf, successorOf } from "./database-replaced.js";
import { type Meshes, same } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { callersOf, clientsOf, partiesOf } from "./readers.js";
import { compareStream } from "./stream-changes.js";

/** Services, what they hear, serve and need. */
export function compareServices(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  return pairUp(before.services, next.services, ({ name }) => name).flatMap(([previous, service]) => {
    if (previous === undefined)
      return service === undefined ? [] : [simple("service-added", service, "is new")];
    if (service === undefined) {
      const successor = successorOf(previous.name, meshes);
      return [
        serviceRemoved(previous, meshes),
        ...(successor === undefined ? [] : compareDatabaseOf(previous, successor, meshes)),
        ...compareResources(previous, { ...previous, http: undefined }, meshes),
      ];
    }
    return [
      ...compareDatabaseOf(previous, service, meshes),
      ...compareIdentity(previous, service, meshes),
      ...compareConsumers(previous, service),
      ...compareCascades(previous, service, meshes),
      ...compareResources(previous, service, meshes),
      ...compareVariables(previous, service),
    ];
  });
}

/** Who heard it or asked it goes on without it first. */
function serviceRemoved({ name }: Service, { before, next }: Meshes): Change {
  const readers = before.services.flatMap((service): readonly Concern[] => {
    const isThere = service.name !== name && next.services.some((other) => other.name === service.name);
    const hears = service.consumers.some(({ publisher }) => publisher === name);
    const asks = before.calls.some(({ caller, callee }) => caller === service.name && callee === name);
    return isThere && (hears || asks)
      ? [
          {
            service: service.name,
            as: [...(hears ? ["hears it"] : []), ...(asks ? ["asks it"] : [])].join(", "),
          },
        ]
      : [];
  });
  const concerns = [{ service: name, as: "the service itself" }, ...readers];
  return changeOf("service-removed", {
    path: ["services", name],
    gone: true,
    message: `${name} goes`,
    concerns,
    parties: partiesOf(name, concerns, before),
    ...(readers.length > 0 && { order: "readers-before-stop" }),
  });
}

function simple(kind: ChangeKind, { name }: Service, says: string, key: Path = []): Change {
  return changeOf(kind, {
    path: ["services", name, ...key],
    message: `${name} ${says}`,
    concerns: [{ service: name, as: "the service itself" }],
    parties: { owner: name },
  });
}

function compareIdentity(previous: Service, service: Service, { before, next }: Meshes): readonly Change[] {
  const heard = next.services.flatMap(({ name, consumers }): readonly Concern[] =>
    consumers.some(({ publisher }) => publisher === service.name) ? [{ service: name, as: "hears it" }] : [],
  );
  const concerns = [{ service: service.name, as: "publishes" }, ...heard];
  const parties = partiesOf(service.name, concerns, next);
  const change = (kind: ChangeKind, key: string, says: string) =>
    changeOf(kind, {
      path: ["services", service.name, key],
      message: `${service.name} ${says}`,
      concerns,
      parties,
    });
  const streams = [before, next].map((mesh) =>
    mesh.streams.find((stream) => stream.service === service.name),
  );
  return [
    ...(previous.external === service.external
      ? []
      : [
          change(
            "service-by-hand",
            "external",
            service.external ? "is written by hand from now on" : "is generated from now on",
          ),
        ]),
    ...(previous.source === service.source
      ? []
      : [
          change(
            "source-changed",
            "source",
            `sends metadata.source ${service.source}, no longer ${previous.source}`,
          ),
        ]),
    ...(previous.envelope === service.envelope
      ? []
      : [
          change(
            "envelope-changed",
            "envelope",
            `sends ${service.envelope ?? "mesh"}, no longer ${previous.envelope ?? "mesh"}`,
          ),
        ]),
    ...compareStream(streams, change),
    ...(previous.external !== service.external || same(previous.deadLetters, service.deadLetters)
      ? []
      : [
          simple(
            "dead-letters-changed",
            service,
            `keeps dead letters in ${deadLettersOf(service)}, no longer in ${deadLettersOf(previous)}`,
          ),
        ]),
    ...(previous.http !== undefined && service.http !== undefined && previous.http.port !== service.http.port
      ? [
          {
            ...simple(
              "port-changed",
              service,
              `listens on ${service.http.port}, no longer on ${previous.http.port}`,
              ["http", "port"],
            ),
            concerns: listenersOf(service, next),
          },
        ]
      : []),
  ];
}

function deadLettersOf({ database, deadLetters }: Service): string {
  if (deadLetters === undefined) return database ?? "nothing";
  const { stream, replicas } = deadLetters;
  return `${stream} (replicas ${replicas ?? "by default"})`;
}

/** Those that have its URL. */
function listenersOf({ name }: Service, { calls }: Mesh): readonly Concern[] {
  const callers = calls.filter(({ callee }) => callee === name);
  return [
    { service: name, as: "the service itself, and HTTP clients of it" },
    ...callers.map(({ caller, urlVariable }) => ({
      service: caller,
      field: urlVariable,
      as: "asks it there",
    })),
  ];
}

function compareConsumers(previous: Service, service: Service): readonly Change[] {
  const key = ({ entity, name }: Consumer) => `${entity} ${name ?? ""}`;
  return pairUp(previous.consumers, service.consumers, key).flatMap(([old, now]) => {
    const { entity, name } = (now ?? old) as Consumer;
    const said = `${entity}${name === undefined ? "" : ` as ${name}`}`;
    const place = (each: Service): Path => ["services", service.name, "subscribes", patternFor(each, entity)];
    if (old === undefined)
      return [simple("subscription-added", service, `hears ${said}`, place(service).slice(2))];
    if (now === undefined) {
      const change = simple(
        "subscription-removed",
        service,
        `no longer hears ${said}`,
        place(previous).slice(2),
      );
      return [{ ...change, gone: true as const }];
    }
    const delivery = deliveryText(old, now, service);
    return [
      ...(old.durable === now.durable && old.filter === now.filter
        ? []
        : [
            simple(
              "durable-replaced",
              service,
              `hears ${said} by ${now.durable} (${now.filter}), no longer by ${old.durable} (${old.filter})`,
              place(service).slice(2),
            ),
          ]),
      ...(delivery === undefined
        ? []
        : [simple("delivery-changed", service, `takes ${said} with ${delivery}`, place(service).slice(2))]),
    ];
  });
}

/** As the file says it: `auth.user.*`, or `auth.*`. */
function patternFor({ subscribes }: Service, entity: string): string {
  const [service = ""] = entity.split(".");
  return (
    subscribes.find((pattern) => pattern.service === service && `${service}.${pattern.entity}` === entity)
      ?.text ??
    subscribes.find((pattern) => pattern.service === service && pattern.entity === undefined)?.text ??
    entity
  );
}

/** Undefined where nothing is another. Of a service written by hand the durable alone is ours. */
function deliveryText(
  { delivery: old }: Consumer,
  { delivery: now }: Consumer,
  { external }: Service,
): string | undefined {
  const [was, is] = [deliverySettings(old), deliverySettings(now)];
  const ours = external ? ["ack_wait", "max_ack_pending"] : Object.keys(is);
  const keys = ours.filter((key) => was[key] !== is[key]);
  if (keys.length === 0) return undefined;
  return keys.map((key) => `${key}: ${is[key]}, no longer ${was[key]}`).join("; ");
}

/** In the words and units of the file. */
function deliverySettings(delivery: Consumer["delivery"]): Readonly<Record<string, string>> {
  const { attempts, backoffSeconds, ackWaitSeconds, maxAckPending, batch } = delivery;
  return {
    attempts: `${attempts}`,
    backoff: `[${backoffSeconds.map(printDuration).join(", ")}]`,
    ack_wait: printDuration(ackWaitSeconds),
    max_ack_pending: `${maxAckPending}`,
    batch: `${batch}`,
  };
}

function compareResources(previous: Service, service: Service, meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  const resources = (each: Service) => each.http?.resources ?? [];
  return pairUp(resources(previous), resources(service), ({ path }) => path).flatMap(([old, now]) => {
    const { path } = (now ?? old) as { path: string };
    const place = ["services", service.name, "http", "resources", path];
    if (old === undefined) return [simple("resource-added", service, `serves ${path}`, place.slice(2))];
    const concerns = [...callersOf(service.name, path, before), clientsOf(service.name, path)];
    const said = { path: place, concerns, parties: partiesOf(service.name, concerns, next) };
    if (now === undefined) {
      const message = `${service.name} no longer serves ${path}`;
      const moved = isServedElsewhere(service.name, path, meshes);
      return [
        changeOf("resource-removed", { ...said, gone: true, message, ...(moved && { order: "both-paths" }) }),
      ];
    }
    if (old.table === now.table || isRenamed(service.name, [old.table, now.table], meshes)) return [];
    const message = `${service.name} shows ${now.table} at ${path}, no longer ${old.table}`;
    return [changeOf("resource-table-changed", { ...said, message })];
  });
}

function isRenamed(
  service: string,
  [from, to]: readonly [string, string],
  { next, former }: Meshes,
): boolean {
  return next.databases
    .filter((database) => database.service === service)
    .some(({ name }) =>
      former.tables(name).kept.some((pair) => pair.previous.name === from && pair.next.name === to),
    );
}

/** Those that the runtime reads in any case follow from what else is said. */
function compareVariables(previous: Service, service: Service): readonly Change[] {
  const own = ({ environment }: Service) => environment.filter(({ builtIn }) => !builtIn);
  return pairUp(own(previous), own(service), ({ name }) => name).flatMap(([old, now]) => {
    const { name } = (now ?? old) as EnvironmentVariable;
    const place = ["environment", name];
    if (now === undefined) {
      return [
        { ...simple("variable-removed", service, `no longer reads ${name}`, place), gone: true as const },
      ];
    }
    if (now.required && old?.required !== true)
      return [simple("variable-required", service, `needs ${name}`, place)];
    if (old === undefined) return [simple("variable-added", service, `reads ${name}`, place)];
    if (old.required && !now.required) {
      const says = `no longer needs ${name}${now.default === undefined ? "" : `, which is ${now.default} where it is not set`}`;
      return [simple("variable-optional", service, says, place)];
    }
    if (old.default === now.default) return [];
    return [
      simple(
        "variable-changed",
        service,
        `takes ${name} for ${now.default ?? "nothing"}, no longer ${old.default ?? "nothing"}, where it is not set`,
        place,
      ),
    ];
  });
}

/** Its table is served under a new path. */
export function isServedElsewhere(name: string, path: string, meshes: Meshes): boolean {
  const resourcesOf = ({ services }: Mesh) =>
    services.find((service) => service.name === name)?.http?.resources ?? [];
  const [old, now] = [resourcesOf(meshes.before), resourcesOf(meshes.next)];
  const table = old.find((each) => each.path === path)?.table;
  return now.some(
    (each) =>
      table !== undefined &&
      (each.table === table || isRenamed(name, [table, each.table], meshes)) &&
      !old.some((other) => other.path === each.path),
  );
}
