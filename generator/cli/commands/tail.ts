import { type Broker, matches, messageOf, type StreamReader, subjectOf } from "@meshwright/runtime";
import { entityOf } from "../../flow/flow.js";
import type { Consumer, Mesh, Stream } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { oneLine } from "../../quote/visible.js";
import { colour, print, tell } from "../../terminal/terminal.js";
import { openBroker } from "../asked-sources.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh } from "../running-mesh.js";
import { type ChosenEvents, chooseEvents, streamsOf } from "../trace/choose-events.js";
import { age } from "../trace/judge-trace.js";
import { eventReader, type FoundEvent, openReader } from "../trace/read-events.js";

interface TailOptions {
  readonly service?: string;
  readonly json?: boolean;
}

/** Every event as it is stored, and who has settled it by then. Reads by an ephemeral consumer: subscribers notice nothing of it. */
export async function tail(subject: string | undefined, options: TailOptions): Promise<ExitCode> {
  const running = await findRunningMesh();
  const chosen = chooseEvents(running.mesh, subject);
  const streams = streamsOf(running.mesh, chosen, options.service);
  const reader = await openReader(running);
  const broker = await openBroker(running);
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    if (!options.json) tell(`following ${streams.map(({ name }) => name).join(", ")}; Ctrl-C ends it`);
    const shown = (event: FoundEvent) => chosen === undefined || isChosen(chosen, event);
    const hears = hearersOf(running.mesh, options.service);
    const stateOf = openStates(broker);
    const show = (event: FoundEvent) =>
      report(event, {
        stateOf,
        hears: hears(event),
        json: options.json === true,
        signal: ending.signal,
      });
    const following = streams.map((stream) =>
      followStream(reader, stream, {
        ...{ shown, show, signal: ending.signal },
        toEvent: eventReader(running.mesh, stream),
      }),
    );
    await Promise.all(following).finally(end);
    return 0;
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    await broker.close();
    await reader.close();
  }
}

interface Hearer {
  readonly service: string;
  readonly consumer: Consumer;
}

function isChosen({ events, filter }: ChosenEvents, { subject, entity, action }: FoundEvent): boolean {
  if (filter !== undefined) return matches(filter, subject);
  return events.some((event) => entityOf(event) === entity && event.action === action);
}

/** A durable may be delivered what lies between its subjects, of another entity: it hears nothing of that. */
function hearersOf({ services }: Mesh, only: string | undefined): (event: FoundEvent) => readonly Hearer[] {
  const all = services.flatMap((service) =>
    service.consumers.map((consumer) => ({ service: service.name, consumer })),
  );
  return ({ subject, entity, stream }) =>
    all.filter(
      ({ service, consumer }) =>
        (only === undefined || service === only) &&
        consumer.stream === stream &&
        consumer.entity === entity &&
        matches(consumer.filter, subject),
    );
}

interface Following {
  readonly toEvent: ReturnType<typeof eventReader>;
  readonly shown: (event: FoundEvent) => boolean;
  readonly show: (event: FoundEvent) => Promise<void>;
  readonly signal: AbortSignal;
}

async function followStream(
  reader: StreamReader,
  { name }: Stream,
  { toEvent, shown, show, signal }: Following,
): Promise<void> {
  const reports = new Set<Promise<void>>();
  try {
    for await (const message of reader.read({ stream: name, from: "new", follow: signal })) {
      const event = toEvent(message);
      if (!shown(event)) continue;
      const one: Promise<void> = show(event).finally(() => reports.delete(one));
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

async function report(event: FoundEvent, { stateOf, hears, json, signal }: Reporting): Promise<void> {
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

function describe(event: FoundEvent, { hears, settled }: Outcome): string {
  const each = hears.map((hearer) => {
    const late = settled.get(hearer);
    return late === undefined
      ? colour.yellow(`${hearer.service} waits`)
      : colour.green(`${hearer.service} ${age(late / 1_000)}`);
  });
  const version = event.version === null ? "" : ` v${event.version}`;
  const who = hears.length === 0 ? colour.dim("nobody hears it") : each.join(", ");
  return `${colour.dim(event.at.slice(11, 23))} ${oneLine(event.subject)}${foreignName(event)}${version} ${colour.dim(`${event.stream} #${event.seq}`)}  ${who}`;
}

/** What mesh.yaml calls an event whose subject is of a form of its own. */
function foreignName({ subject, entity, id, action }: FoundEvent): string {
  if (entity === null || id === null || action === null) return "";
  const [service = "", name = ""] = entity.split(".");
  const ours = subjectOf({ service, entity: name, id, action });
  return ours === subject ? "" : colour.dim(` (${oneLine(`${entity} ${id} ${action}`)})`);
}
