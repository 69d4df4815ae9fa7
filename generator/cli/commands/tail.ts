import {
  type Broker,
  connectJetStream,
  matches,
  messageOf,
  type StreamReader,
  type TracedEvent,
} from "@meshwright/runtime";
import { suggest } from "../../diagnostics/suggest.js";
import { entityOf } from "../../flow/flow.js";
import { overlap } from "../../model/filters.js";
import type { Consumer, Mesh, Stream } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { oneLine } from "../../quote/visible.js";
import { colour, print, quietLogger, tell } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh, natsLogin } from "../running-mesh.js";
import { age } from "../trace/judge-trace.js";
import { openReader, tracedOf } from "../trace/read-events.js";

interface TailOptions {
  readonly service?: string;
  readonly json?: boolean;
}

/** Every event as it is stored, and who has settled it by then. Reads by an ephemeral consumer: subscribers notice nothing of it. */
export async function tail(subject: string | undefined, options: TailOptions): Promise<ExitCode> {
  const running = await findRunningMesh();
  const filters = filtersOf(running.mesh, subject);
  const streams = streamsFor(running.mesh, filters, options.service);
  const login = { ...natsLogin(running), name: "mesh_operator", logger: quietLogger };
  const reader = await openReader(running);
  const broker = await connectJetStream(login);
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    if (!options.json) tell(`following ${streams.map(({ name }) => name).join(", ")}; Ctrl-C ends it`);
    const shown = (message: { readonly subject: string }) =>
      filters === undefined || filters.some((filter) => matches(filter, message.subject));
    const hears = hearersOf(running.mesh, options.service);
    const stateOf = openStates(broker);
    const show = (event: TracedEvent) =>
      report(event, {
        stateOf,
        hears: hears(event.subject),
        json: options.json === true,
        signal: ending.signal,
      });
    const following = streams.map((stream) =>
      followStream(reader, stream, { shown, show, signal: ending.signal }),
    );
    await Promise.all(following).finally(end);
    return 0;
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    await broker.close();
    await reader.close();
  }
}

/** `auth.user.*` of mesh.yaml, or what NATS would take. Undefined: all. */
function filtersOf({ services, events }: Mesh, subject: string | undefined): readonly string[] | undefined {
  if (subject === undefined) return undefined;
  const patterns = services.flatMap(({ publishes, subscribes }) => [...publishes, ...subscribes]);
  const known = patterns.filter(({ text }) => text === subject).map(({ filter }) => filter);
  const entity = events.filter((event) => `${entityOf(event)}.*` === subject || entityOf(event) === subject);
  const action = events.filter((event) => `${entityOf(event)}.${event.action}` === subject);
  const found = [...known, ...[...entity, ...action].map(({ filter }) => filter)];
  if (found.length > 0) return [...new Set(found)];
  if (events.some(({ filter }) => overlap(subject, filter))) return [subject];
  const near = suggest(subject, [...patterns.map(({ text }) => text), ...events.map(entityOf)]);
  throw new UsageError(
    `no event of this mesh has a subject of "${subject}"`,
    near === undefined ? "mesh tail shows all of them" : `did you mean "${near}"?`,
  );
}

function streamsFor(
  { streams, services, events }: Mesh,
  filters: readonly string[] | undefined,
  only: string | undefined,
): readonly Stream[] {
  const service = services.find(({ name }) => name === only);
  if (only !== undefined && service === undefined)
    throw new UsageError(
      `there is no service "${only}"`,
      `there are ${services.map(({ name }) => name).join(", ")}`,
    );
  const heard = new Set(service?.consumers.map(({ stream }) => stream));
  const found = streams.filter(
    (stream) =>
      (service === undefined || stream.service === only || heard.has(stream.name)) &&
      (filters === undefined ||
        events.some(
          (event) =>
            event.service === stream.service && filters.some((filter) => overlap(filter, event.filter)),
        )),
  );
  if (found.length === 0) throw new UsageError("nothing flows there: no stream holds such events");
  return found;
}

interface Hearer {
  readonly service: string;
  readonly consumer: Consumer;
}

function hearersOf({ services }: Mesh, only: string | undefined): (subject: string) => readonly Hearer[] {
  const all = services.flatMap((service) =>
    service.consumers.map((consumer) => ({ service: service.name, consumer })),
  );
  return (subject) =>
    all.filter(
      ({ service, consumer }) =>
        (only === undefined || service === only) && matches(consumer.filter, subject),
    );
}

interface Following {
  readonly shown: (message: { readonly subject: string }) => boolean;
  readonly show: (event: TracedEvent) => Promise<void>;
  readonly signal: AbortSignal;
}

async function followStream(
  reader: StreamReader,
  { name }: Stream,
  { shown, show, signal }: Following,
): Promise<void> {
  const reports = new Set<Promise<void>>();
  try {
    for await (const message of reader.read({ stream: name, from: "new", follow: signal })) {
      if (!shown(message)) continue;
      const one: Promise<void> = show(tracedOf(message)).finally(() => reports.delete(one));
      reports.add(one);
    }
  } catch (error) {
    if (!signal.aborted)
      throw new UsageError(`${name} cannot be read: ${messageOf(error)}`, "is it provisioned?");
  }
  await Promise.all(reports);
}

type ConsumerState = Awaited<ReturnType<Broker["consumerState"]>>;

/**
 * Of each durable the broker is asked once in a while, however many events wait for it; and always after the question came, since an
 * older state knows nothing of the event.
 */
export function openStates(
  broker: Pick<Broker, "consumerState">,
): (hearer: Pick<Hearer, "consumer">) => Promise<ConsumerState | undefined> {
  const next = new Map<string, Promise<ConsumerState | undefined>>();
  return ({ consumer: { stream, durable } }) => {
    const known = next.get(durable);
    if (known !== undefined) return known;
    const asked = new Promise((resolve) => setTimeout(resolve, POLL_MS)).then(() => {
      next.delete(durable);
      return broker.consumerState(stream, durable).catch(() => undefined);
    });
    next.set(durable, asked);
    return asked;
  };
}

interface Reporting {
  readonly stateOf: (hearer: Hearer) => Promise<ConsumerState | undefined>;
  readonly hears: readonly Hearer[];
  readonly json: boolean;
  readonly signal: AbortSignal;
}

const POLL_MS = 100;
/** A line waits so long for its subscribers; who is later gets a line of its own. */
const SOON_MS = 1_000;
const LATEST_MS = 60_000;

async function report(event: TracedEvent, { stateOf, hears, json, signal }: Reporting): Promise<void> {
  const stored = Date.parse(event.at);
  const settled = new Map<Hearer, number>();
  let printed = false;
  const missing = () => hears.filter((hearer) => !settled.has(hearer));
  while (missing().length > 0 && !signal.aborted && Date.now() - stored < LATEST_MS) {
    await Promise.all(
      missing().map(async (hearer) => {
        const state = await stateOf(hearer);
        if (state === undefined) return;
        if ((state.ackFloor ?? 0) < event.seq && state.pending + state.ackPending > 0) return;
        const late = Math.max(0, Date.now() - stored);
        settled.set(hearer, late);
        if (!printed) return;
        const place = `${event.stream} #${event.seq} ${hearer.service}`;
        print(colour.dim(`${" ".repeat(13)}${place} after ${age(late / 1_000)}`));
      }),
    );
    if (!printed && !json && Date.now() - stored > SOON_MS) {
      print(describe(event, { hears, settled }));
      printed = true;
    }
  }
  if (json) print(JSON.stringify({ ...event, settled: outcomes({ hears, settled }) }));
  else if (!printed) print(describe(event, { hears, settled }));
}

interface Outcome {
  readonly hears: readonly Hearer[];
  readonly settled: ReadonlyMap<Hearer, number>;
}

/** Milliseconds from the stream to the ack, rounded up to the next look; null: not yet. */
function outcomes({ hears, settled }: Outcome): object[] {
  return hears.map((hearer) => ({
    service: hearer.service,
    durable: hearer.consumer.durable,
    withinMs: settled.get(hearer) ?? null,
  }));
}

function describe(event: TracedEvent, { hears, settled }: Outcome): string {
  const each = hears.map((hearer) => {
    const late = settled.get(hearer);
    return late === undefined
      ? colour.yellow(`${hearer.service} waits`)
      : colour.green(`${hearer.service} ${age(late / 1_000)}`);
  });
  const version = event.version === null ? "" : ` v${event.version}`;
  const who = hears.length === 0 ? colour.dim("nobody hears it") : each.join(", ");
  return `${colour.dim(event.at.slice(11, 23))} ${oneLine(event.subject)}${version} ${colour.dim(`${event.stream} #${event.seq}`)}  ${who}`;
}
