import { streamDefaults } from "@meshwright/runtime/defaults";
import { groupBy } from "../../collections/group-by.js";
import { onceFor } from "../../collections/once.js";
import type { Report } from "../../diagnostics/report.js";
import { deliveryBlocks, resolveDelivery } from "../../language/delivery-settings.js";
import type { DeliveryNode, StreamNode } from "../../language/grammar.js";
import type { TextNode } from "../../language/node.js";
import { type Program, touches } from "../../language/program.js";
import type { ServiceSymbol, SubscriptionSymbol } from "../../language/symbols.js";
import type { Span } from "../../source/text.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** nats-server takes no shorter ones. */
const SHORTEST_SECONDS = 0.1;
/** 2^31 ms, the longest timer of Node, is a little more. */
const LONGEST_TIMER_SECONDS = 24 * 86_400;
/** nats-server counts nanoseconds in 63 bits. */
const LONGEST_AGE_SECONDS = 100 * 365 * 86_400;

type Duration = TextNode<number> | undefined;

/** The broker and Node's timers accept each duration, and a stream keeps messages until all attempts at them are over. */
export const checkDurations: Rule = (program, report) => {
  const { delivery, streams } = program.node.get;
  const services = [...program.services.values()];
  const ofSubscriptions = services.flatMap(({ subscriptions }) => subscriptions);
  for (const block of [
    delivery,
    ...services.map(({ node }) => node?.get.delivery),
    ...ofSubscriptions.map((subscription) => subscription.delivery),
  ])
    checkDelivery(block, report);
  for (const block of [streams, ...services.map(({ node }) => node?.get.stream)]) checkStream(block, report);
  for (const { table } of allTables(program)) {
    const every = table.node?.get.sync?.get.every;
    checkRange(
      every,
      { label: "every", minimum: [1, "1s"], maximum: [LONGEST_TIMER_SECONDS, "24d"], zero: true },
      report,
    );
  }
  for (const service of services) {
    checkAge(service, program, report);
    checkTombstones(service, program, report);
  }
};

function checkDelivery(block: DeliveryNode | undefined, report: Report): void {
  const maximum = [LONGEST_TIMER_SECONDS, "24d"] as const;
  checkRange(
    block?.get.ack_wait,
    { label: "ack_wait", minimum: [SHORTEST_SECONDS, "100ms"], maximum },
    report,
  );
  for (const wait of block?.get.backoff?.items ?? [])
    checkRange(wait, { label: "an item of backoff", minimum: [0, "0"], maximum, zero: true }, report);
}

function checkStream(block: StreamNode | undefined, report: Report): void {
  const range = { minimum: [SHORTEST_SECONDS, "100ms"], maximum: [LONGEST_AGE_SECONDS, "36500d"] } as const;
  checkRange(block?.get.max_age, { label: "max_age", ...range, zero: true }, report);
  checkRange(block?.get.duplicate_window, { label: "duplicate_window", ...range }, report);
  checkRange(
    block?.get.tombstones,
    { label: "tombstones", minimum: [60, "1m"], maximum: [LONGEST_AGE_SECONDS, "36500d"], zero: true },
    report,
  );
}

interface Range {
  readonly label: string;
  readonly minimum: readonly [number, string];
  readonly maximum: readonly [number, string];
  /** 0 is allowed, and has a meaning of its own. */
  readonly zero?: true;
}

function checkRange(written: Duration, { label, minimum, maximum, zero }: Range, report: Report): void {
  if (written === undefined || (zero && written.value === 0)) return;
  if (written.value >= minimum[0] && written.value <= maximum[0]) return;
  report("duration-out-of-range", written.span, {
    label: `"${label}"`,
    minimum: minimum[1],
    maximum: maximum[1],
  });
}

/** A message that is gone before its acknowledgement is due is never delivered again. */
function checkAge(owner: ServiceSymbol, program: Program, report: Report): void {
  const stream = resolveStream(owner, program);
  // How an external owner's stream is kept is not known here, unless the file says so.
  if (owner.external && owner.node?.get.stream === undefined) return;
  if (owner.publishes.length === 0 || stream.maxAge < SHORTEST_SECONDS) return;
  if (stream.window > stream.maxAge)
    report("stream-too-short", stream.at.window, {
      what: '"duplicate_window"',
      is: stream.window,
      maxAge: stream.maxAge,
      reason: "the broker refuses a longer one",
    });
  for (const { service, subscription } of subscriptionsTo(owner, program)) {
    const { ackWaitSeconds: ackWait, backoffSeconds } = resolveDelivery(
      deliveryBlocks(subscription, service, program),
    );
    const { name, external } = service;
    // When an external service tries again is its own code's affair.
    const longest = Math.max(ackWait, ...(external ? [] : backoffSeconds));
    if (longest >= stream.maxAge && longest <= LONGEST_TIMER_SECONDS)
      report("stream-too-short", stream.at.maxAge, {
        what: `"${longest === ackWait ? "ack_wait" : "backoff"}" of "${name}"`,
        is: longest,
        maxAge: stream.maxAge,
        reason: "a message would be gone before it is tried again",
      });
  }
}

/** Streams that are known to forget after a while, with those whose events they keep. */
export function forgettingStreams(program: Program) {
  return [...program.services.values()].flatMap((owner) => {
    const isKnown = !owner.external || owner.node?.get.stream !== undefined;
    const { maxAge, at } = resolveStream(owner, program);
    return !isKnown || owner.publishes.length === 0 || maxAge === 0 ? [] : [{ owner, maxAge, at }];
  });
}

export interface HeardPattern {
  readonly service: ServiceSymbol;
  readonly subscription: SubscriptionSymbol;
}

/** Those that hear an event of the owner. */
export function subscriptionsTo(owner: ServiceSymbol, program: Program): readonly HeardPattern[] {
  return allSubscriptions(program).get(owner.name) ?? [];
}

const allSubscriptions = onceFor((program: Program) => {
  const hearings = [...program.services.values()].flatMap((service) =>
    service.subscriptions
      .filter(({ pattern: { value } }) =>
        program.entitiesOf(value.service).some((entity) => touches(value, entity)),
      )
      .map((subscription) => ({ service, subscription })),
  );
  return groupBy(hearings, ({ subscription }) => subscription.pattern.value.service);
});

/** A message that is older than the memory of a deletion could bring the deleted back. */
function checkTombstones(owner: ServiceSymbol, program: Program, report: Report): void {
  if (owner.publishes.length === 0) return;
  const own = owner.node?.get.stream?.get;
  const said = own?.tombstones ?? program.node.get.streams?.get.tombstones;
  const { maxAge } = resolveStream(owner, program);
  if (said === undefined || said.value === 0 || (maxAge > 0 && said.value >= maxAge)) return;
  report("tombstones-too-short", said.span, { is: said.value, maxAge, owner: owner.name });
}

export function resolveStream({ node, span }: ServiceSymbol, program: Program) {
  const own = node?.get.stream?.get;
  const all = program.node.get.streams?.get;
  const maxAge = own?.max_age ?? all?.max_age;
  const window = own?.duplicate_window ?? all?.duplicate_window;
  const at = maxAge?.span ?? window?.span ?? span;
  return {
    maxAge: maxAge?.value ?? streamDefaults.maxAgeSeconds,
    // Where mesh.yaml says nothing of it, the window is no longer than the age.
    window: window?.value ?? 0,
    at: { maxAge: at, window: window?.span ?? at } satisfies Record<string, Span>,
  };
}
