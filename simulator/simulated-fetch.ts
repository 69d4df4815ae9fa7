import { Readable } from "node:stream";
import { kindOf } from "@meshwright/runtime/column-types";
import {
  askedDigests,
  DIGEST_FORM,
  DIGEST_HEADER,
  type KeyColumns,
  keyColumns,
  memberFilling,
  openDigests,
  openList,
  splitId,
} from "@meshwright/runtime/simulation";
import type { ServiceProcess, SourceFault, World } from "./world.js";

/*
 * HTTP between the processes of a world: a snapshot request is answered from the same statement as in a real service,
 * over a network that can fail, break or cut the answer short.
 */

const DOMAIN = ".mesh-simulated";

/** A base URL whose host names both the caller and the service that it calls. */
export function sourceUrl(caller: string, service: string): string {
  return `http://${caller}.${service}${DOMAIN}`;
}

/** Replaces `fetch`. Requests to other hosts, which only hooks make, go to the real network. */
export function simulatedFetch(world: World, actual: typeof fetch): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const [name = "", service = ""] = url.hostname.slice(0, -DOMAIN.length).split(".");
    if (!url.hostname.endsWith(DOMAIN)) return await actual(input, init);
    const caller = world.processes().find((process) => process.actor.name === name);
    // The caller was killed: no answer reaches it.
    if (caller === undefined) return await new Promise<never>(() => undefined);
    const digests = new Headers(init?.headers).get(DIGEST_HEADER) ?? undefined;
    const { pathname: path } = url;
    return await answer(world, { caller, service, path, digests, signal: init?.signal ?? undefined });
  };
}

interface Call {
  readonly caller: ServiceProcess;
  readonly service: string;
  readonly path: string;
  /** The header that asks for them. */
  readonly digests: string | undefined;
  readonly signal: AbortSignal | undefined;
}

async function answer(world: World, { caller, service, path, digests, signal }: Call): Promise<Response> {
  const fault = await world.schedule.step(caller.actor, `GET ${path} of ${service}`, () =>
    world.nextSourceFault(),
  );
  const foreign = foreignList(world, { caller, service, path });
  if (foreign !== undefined) {
    if (fault === "fails") return new Response("simulated", { status: 500 });
    const readable = Readable.from([Buffer.from(foreign)]);
    // An external service does not end.
    const owner = { ended: new Promise<never>(() => undefined) };
    return new Response(transfer({ world, owner, caller, readable, signal, fault }));
  }
  const owner = world.processes().find((one) => one.service.definition.name === service && one.serving());
  if (owner?.requests === undefined) throw unreachable();
  if (fault === "fails") return new Response("simulated", { status: 500 });
  const resource = owner.service.definition.http?.resources.find((one) => one.path === path);
  if (resource === undefined) return new Response("no such resource", { status: 404 });
  const { entity } = resource.table;
  const versions = { entity: entity && `${service}.${entity}` };
  const asked = askedDigests(digests, resource.table, versions.entity);
  const opened =
    asked === undefined
      ? openList(owner.requests, resource.table, { filter: {}, versions })
      : Promise.resolve(openDigests(owner.requests, asked));
  // The owner notices that the caller is gone, and releases its database connection.
  void caller.ended.then(async () => (await opened).destroy()).catch(() => undefined);
  const readable = await unlessBroken({ owner, caller, signal }, opened);
  const headers: Record<string, string> = asked === undefined ? {} : { [DIGEST_HEADER]: DIGEST_FORM };
  return new Response(transfer({ world, owner, caller, readable, signal, fault }), { headers });
}

/** All that an external service owns, as JSON; undefined for another service's list. */
function foreignList(
  { foreign }: World,
  { caller, service, path }: Omit<Call, "digests" | "signal">,
): string | undefined {
  const consumer = caller.service.definition.consumers.find(
    ({ sync, entity }) => sync?.path === path && entity.startsWith(`${service}.`),
  );
  const owner = foreign.find(({ entity }) => entity.entity === consumer?.entity);
  const { cache } = consumer ?? {};
  if (owner === undefined || cache === undefined) return undefined;
  const key = keyColumns(cache);
  const memberValue = (column: KeyColumns[number], text = "") =>
    kindOf(column.type) === "whole number" && column.wide !== true ? Number(text) : text;
  return JSON.stringify(
    [...owner.living].map(([id, payload]) => {
      const parts = splitId(id, key.length) ?? [];
      const named = key.map((column, at) => [memberFilling(column), memberValue(column, parts[at])]);
      return { ...payload, ...Object.fromEntries(named) };
    }),
  );
}

interface Connection {
  readonly owner: Pick<ServiceProcess, "ended">;
  readonly caller: ServiceProcess;
  readonly signal: AbortSignal | undefined;
}

interface Transfer extends Connection {
  readonly world: World;
  readonly readable: Readable;
  readonly fault: Exclude<SourceFault, "fails">;
}

/** Sends the list chunk by chunk; under a fault, half of the first chunk and no more. */
function transfer({ world, owner, caller, readable, signal, fault }: Transfer): ReadableStream<Uint8Array> {
  const chunks = readable[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const abandon = () => void readable.destroy();
  signal?.addEventListener("abort", abandon, { once: true });
  // A signal with listeners is never collected, nor is the world that they refer to.
  void caller.ended.then(() => signal?.removeEventListener("abort", abandon));
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await unlessBroken({ owner, caller, signal }, chunks.next());
      await world.schedule.step(
        caller.actor,
        done ? "reads the end of the list" : "reads of the list",
        () => undefined,
      );
      if (signal?.aborted) return controller.error(signal.reason);
      if (done) return controller.close();
      const bytes = Buffer.from(value);
      if (fault === "none") return controller.enqueue(bytes);
      controller.enqueue(bytes.subarray(0, bytes.length >> 1));
      abandon();
      switch (fault) {
        case "ends":
          return controller.close();
        case "breaks":
          return controller.error(unreachable());
        default:
          return fault satisfies never;
      }
    },
    cancel: abandon,
  });
}

/** As `work`; rejects when the owner or the caller ends, or the caller gives up. */
function unlessBroken<T>({ owner, caller, signal }: Connection, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  const broken = Promise.race([owner.ended, caller.ended]).then(() => {
    throw unreachable();
  });
  if (signal === undefined) return Promise.race([work, broken]);
  return new Promise<T>((resolve, reject) => {
    const abandon = () => reject(signal.reason);
    signal.addEventListener("abort", abandon, { once: true });
    Promise.race([work, broken])
      .finally(() => signal.removeEventListener("abort", abandon))
      .then(resolve, reject);
  });
}

function unreachable(): TypeError {
  const cause = Object.assign(new Error("connect ECONNREFUSED (simulated)"), { code: "ECONNREFUSED" });
  return new TypeError("fetch failed", { cause });
}
