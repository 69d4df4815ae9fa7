import { setTimeout as sleep } from "node:timers/promises";
import { type Broker, connectJetStream } from "@meshwright/runtime";
import type { Mesh } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";
import { deadLetterStreams, type Provisioning, provisionOn } from "./provisioning.js";

const LOOK_MS = 2_000;

/**
 * Provisions again whenever a stream or a durable has vanished: under their own permissions the
 * services cannot, and under `mesh dev` there is nobody else. Returns the way to stop.
 */
export async function keepProvisioned(mesh: Mesh, options: Provisioning): Promise<() => Promise<void>> {
  const broker = await connectJetStream({ ...options.login, name: "mesh_operator", logger: quietLogger });
  const stopping = new AbortController();
  const { signal } = stopping;
  // What could not be made at the start was reported then, and has not vanished.
  const reported = new Set((await findMissing(broker, mesh)).map(({ what }) => what));
  const keepLooking = async () => {
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || !broker.connected()) continue;
      // The broker is stopping or starting: the next check is in two seconds.
      await replaceMissing(broker, mesh, { ...options, reported }).catch(() => undefined);
    }
  };
  const ended = keepLooking();
  return async () => {
    stopping.abort();
    // First: a request under way ends with its connection.
    await broker.close();
    await ended;
  };
}

interface Looking extends Provisioning {
  /** What is missing and was reported: what cannot be made is not reported every two seconds. */
  readonly reported: Set<string>;
}

async function replaceMissing(broker: Broker, mesh: Mesh, options: Looking): Promise<void> {
  const missing = await findMissing(broker, mesh);
  const { reported } = options;
  for (const what of reported) if (!missing.some((one) => one.what === what)) reported.delete(what);
  const news = missing.filter(({ what }) => !reported.has(what));
  for (const { what } of news) reported.add(what);
  if (missing.length === 0) return;
  for (const { service, what } of news) options.onNotice(service, `has lost its ${what}: making it anew`);
  await provisionOn(broker, mesh, { ...options, onNotice: news.length > 0 ? options.onNotice : () => {} });
}

interface Missing {
  readonly service: string;
  readonly what: string;
}

async function findMissing(broker: Broker, mesh: Mesh): Promise<readonly Missing[]> {
  const missing: Missing[] = [];
  const letters = deadLetterStreams(mesh).map(({ service, stream }) => ({ service, name: stream.name }));
  for (const { name, service } of [...mesh.streams, ...letters]) {
    if (!(await broker.streamState(name))) missing.push({ service, what: `stream ${name}` });
  }
  for (const { name: service, consumers } of mesh.services) {
    for (const { stream, durable } of consumers) {
      if (!(await broker.consumerState(stream, durable)))
        missing.push({ service, what: `durable ${durable}` });
    }
  }
  return missing;
}
