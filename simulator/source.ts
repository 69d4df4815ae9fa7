import type { Readable } from "node:stream";
import { openList } from "../runtime/http/list.js";
import type { Life } from "./process.js";
import type { World } from "./world.js";

/*
 * HTTP between the processes of a world, as far as they speak it: the list of a table, read for a snapshot by
 * the same statement as in a real service, and what a network makes of it.
 */

const DOMAIN = ".mesh-simulated";

/** A base URL that says who asks whom. */
export function sourceUrl(caller: string, service: string): string {
  return `http://${caller}.${service}${DOMAIN}`;
}

/** Other hosts are the user's own affair. */
export function simulatedFetch(world: World, actual: typeof fetch): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const [caller = "", service = ""] = url.hostname.slice(0, -DOMAIN.length).split(".");
    if (!url.hostname.endsWith(DOMAIN)) return await actual(input, init);
    const asking = world.lives().find((life) => life.actor.name === caller);
    // A dead process asks: it will never hear anything.
    if (asking === undefined) return await new Promise<never>(() => undefined);
    return await answer(world, { asking, service, path: url.pathname, signal: init?.signal ?? undefined });
  };
}

interface Call {
  readonly asking: Life;
  readonly service: string;
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

async function answer(world: World, { asking, service, path, signal }: Call): Promise<Response> {
  const fate = await world.schedule.step(asking.actor, `GET ${path} of ${service}`, () => world.sourceFate());
  const life = world.lives().find((one) => one.service.definition.name === service && one.serving());
  if (life === undefined) throw unreachable();
  if (fate === "fails") return new Response("simulated", { status: 500 });
  const resource = life.service.definition.http?.resources.find((one) => one.path === path);
  if (resource === undefined) return new Response("no such resource", { status: 404 });
  const { entity } = resource.table;
  const versions = { entity: entity && `${service}.${entity}` };
  const opened = openList(life.requests, resource.table, { filter: {}, versions });
  // Whoever answers notices that nobody listens any more, and lets go.
  void asking.crashed.then(async () => (await opened).destroy()).catch(() => undefined);
  const readable = await unlessBroken({ life, asking, signal }, opened);
  return new Response(
    carry({ world, life, asking, readable, signal, breaks: fate === "breaks", ends: fate === "ends" }),
  );
}

interface Carried {
  readonly world: World;
  readonly life: Life;
  readonly asking: Life;
  readonly readable: Readable;
  readonly signal: AbortSignal | undefined;
  readonly breaks: boolean;
  readonly ends: boolean;
}

/** Piece by piece; half of the first piece, where the connection breaks or the answer just ends. */
function carry({ world, life, asking, readable, signal, breaks, ends }: Carried): ReadableStream<Uint8Array> {
  const pieces = readable[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const abandon = () => void readable.destroy();
  signal?.addEventListener("abort", abandon, { once: true });
  // A signal that somebody listens to is kept for ever, and with it the world.
  void asking.crashed.then(() => signal?.removeEventListener("abort", abandon));
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await unlessBroken({ life, asking, signal }, pieces.next());
      await world.schedule.step(
        asking.actor,
        done ? "reads the end of the list" : "reads of the list",
        () => undefined,
      );
      if (signal?.aborted) return controller.error(signal.reason);
      if (done) return controller.close();
      const bytes = Buffer.from(value);
      if (!breaks && !ends) return controller.enqueue(bytes);
      controller.enqueue(bytes.subarray(0, bytes.length >> 1));
      abandon();
      if (ends) controller.close();
      else controller.error(unreachable());
    },
    cancel: abandon,
  });
}

interface Line {
  readonly life: Life;
  readonly asking: Life;
  readonly signal: AbortSignal | undefined;
}

/** Whoever waits for a process that dies hears that the connection broke; whoever gives up waits no longer. */
function unlessBroken<T>({ life, asking, signal }: Line, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  const broken = Promise.race([life.crashed, asking.crashed]).then(() => {
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
