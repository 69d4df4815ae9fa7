import { subjectFor } from "./foreign-owners.js";
import type { Harness, ReplicaSlot } from "./harness.js";
import { type SimulatedService, subscriptionsOf } from "./mesh.js";
import type { Fault, FaultKind } from "./plan.js";

/*
 * What each kind of fault does to a world. Most faults end by themselves after their time.
 */

/** Gives the fault's line in the trace. */
type FaultAction = (harness: Harness, fault: Fault) => string | Promise<string>;

const HOUR_MS = 3_600_000;

export async function applyFault(harness: Harness, fault: Fault): Promise<void> {
  const what = await ACTIONS[fault.kind](harness, fault);
  harness.world.note({ name: "fault" }, what);
}

const ACTIONS: Readonly<Record<FaultKind, FaultAction>> = {
  kill(harness, fault) {
    const slot = slotOf(harness, fault);
    harness.kill(slot, fault.ms);
    return `kill -9 of ${slot.name}, for ${fault.ms} ms`;
  },
  freeze(harness, fault) {
    const slot = slotOf(harness, fault);
    const { process } = slot;
    // Longer than a relay trusts a leader lease that it validated.
    const ms = fault.ms + 1_500;
    if (process !== undefined) {
      process.actor.frozen = true;
      setTimeout(() => {
        process.actor.frozen = false;
      }, ms);
    }
    return `${slot.name} is frozen for ${ms} ms`;
  },
  stop(harness, fault) {
    const slot = slotOf(harness, fault);
    const { process } = slot;
    if (process !== undefined) void stopAndStart(harness, slot, fault.ms);
    return `SIGTERM for ${slot.name}`;
  },
  "broker down"({ world }, { ms }) {
    world.server.setUp(false);
    setTimeout(() => world.server.setUp(true), ms);
    return `the broker is down for ${ms} ms`;
  },
  "database down"(harness, fault) {
    const { database } = serviceOf(harness, fault);
    harness.activeFaults.downDatabases.add(database.name);
    harness.cutAll(database.name);
    setTimeout(() => harness.activeFaults.downDatabases.delete(database.name), fault.ms);
    return `${database.name} is down for ${fault.ms} ms`;
  },
  "cut the database"(harness, fault) {
    const { process, name } = slotOf(harness, fault);
    const when = fault.count % 2 === 0 ? "before" : "after";
    if (process !== undefined) harness.activeFaults.cuts.set(process.actor, when);
    return `${name} loses its database connection ${when} its next statement is executed`;
  },
  "cut the broker"(harness, fault) {
    const { process, name } = slotOf(harness, fault);
    process?.cutBroker();
    return `${name} loses its connection to the broker`;
  },
  resync(harness, fault) {
    const { process, name, service } = slotOf(harness, fault);
    for (const { durable } of service.definition.consumers) void process?.parts()?.resync(durable);
    return `${name} is told to resync`;
  },
  "source fails"({ activeFaults }, { count }) {
    activeFaults.sourceFailures += count;
    return `the next ${count} readings of a source fail`;
  },
  "hook fails"({ activeFaults }, { ms }) {
    activeFaults.hooksFail = true;
    setTimeout(() => {
      activeFaults.hooksFail = false;
    }, ms);
    return `hooks fail for ${ms} ms`;
  },
  poison: (harness, fault) => poison(harness, fault),
  redeliver(harness, fault) {
    const { world } = harness;
    const consumer = consumerOf(harness, fault);
    const log = consumer === undefined ? [] : world.server.log(consumer.stream.name);
    const again = Array.from(
      { length: log.length === 0 ? 0 : fault.count },
      () => world.random.pick(log).seq,
    );
    for (const seq of again)
      if (consumer) world.server.redeliver(consumer.stream.name, consumer.durable, seq);
    return `${consumer?.durable ?? "nobody"} is delivered ${again.map((seq) => `#${seq}`).join(", ")} again`;
  },
  clock(harness, fault) {
    const { database } = serviceOf(harness, fault);
    const ms = fault.count % 2 === 0 ? HOUR_MS : -HOUR_MS;
    harness.activeFaults.skew.set(database.name, ms);
    return `the clock of ${database.name} is off by ${ms / HOUR_MS} h`;
  },
  "delete the durable"(harness, fault) {
    const consumer = consumerOf(harness, fault);
    if (consumer !== undefined) harness.world.server.deleteConsumer(consumer.stream.name, consumer.durable);
    return `the durable ${consumer?.durable ?? "of nobody"} is deleted`;
  },
  "delete the stream"(harness, fault) {
    const stream = streamOf(harness, fault);
    harness.world.server.deleteStream(stream);
    return `stream ${stream} is deleted`;
  },
  "purge the stream"(harness, fault) {
    const stream = streamOf(harness, fault);
    harness.world.server.purge(stream);
    return `stream ${stream} is purged`;
  },
  "lose the tail"(harness, fault) {
    const stream = streamOf(harness, fault);
    harness.world.server.loseTail(stream, fault.count);
    return `stream ${stream} loses its last ${fault.count} messages`;
  },
  "restore the database": (harness, fault) => restore(harness, fault),
};

function slotOf({ slots }: Harness, { target }: Fault): ReplicaSlot {
  return slots[target % slots.length] as ReplicaSlot;
}

function serviceOf({ world }: Harness, { target }: Fault): SimulatedService {
  return world.mesh.services[target % world.mesh.services.length] as SimulatedService;
}

function consumersOf({ world: { mesh } }: Harness) {
  return subscriptionsOf([...mesh.services, ...mesh.stateless]);
}

function consumerOf(harness: Harness, { target }: Fault) {
  const consumers = consumersOf(harness);
  return consumers[target % consumers.length];
}

function streamOf(harness: Harness, { target }: Fault): string {
  const own = harness.world.mesh.services.flatMap(({ definition }) => definition.stream?.name ?? []);
  const external = consumersOf(harness)
    .map(({ stream }) => stream.name)
    .filter((name) => !own.includes(name));
  const names = [...own, ...new Set(external)];
  return names[target % names.length] ?? "";
}

/** Virtual time within which a service must end after SIGTERM. */
const STOP_WITHIN_MS = 60_000;

async function stopAndStart(harness: Harness, slot: ReplicaSlot, downMs: number): Promise<void> {
  const { process } = slot;
  let limit: NodeJS.Timeout | undefined;
  const giveTime = () => {
    const from = harness.world.schedule.steps;
    limit = setTimeout(() => {
      if (slot.process !== process || process?.actor.alive !== true) return;
      // While all that could act stalls, time goes on without them.
      if ((process.actor.stalledUntil ?? 0) > from) giveTime();
      else harness.world.fail(`${slot.name} did not end after SIGTERM`);
    }, STOP_WITHIN_MS);
  };
  giveTime();
  await process?.stop();
  clearTimeout(limit);
  if (slot.process !== process) return;
  harness.kill(slot, downMs);
}

/** Bodies that every schema refuses. */
const POISON = ["", "no JSON", "{", "null", '{"metadata":{}}', "\u0000", "[1,2,3]"];

/** Of these the ones that no envelope makes an event. */
const UNREADABLE = POISON.filter((body) => !body.includes("metadata"));

function poison(harness: Harness, fault: Fault): string {
  const { world, activeFaults } = harness;
  const consumer = consumerOf(harness, fault);
  if (consumer === undefined) return "nobody is poisoned";
  const bodies = consumer.stream.envelope === undefined ? POISON : UNREADABLE;
  for (let number = 0; number < fault.count; number += 1) {
    const event = consumer.events[number % consumer.events.length]?.event;
    const id = `poison-${activeFaults.poison.length + 1}`;
    const template = event?.subject;
    // On a subject that says no id a poison message could not be told from others.
    if (template !== undefined && !template.includes("{id}")) continue;
    const isUnknown = fault.ms % 5 === 0 && template === undefined;
    const action = isUnknown ? "exploded" : (event?.action ?? "");
    const subject = subjectFor(consumer, template, { id, action, count: number });
    const stored = world.server.inject(
      subject,
      Buffer.from(bodies[(fault.ms + number) % bodies.length] ?? ""),
    );
    if (stored) activeFaults.poison.push(subject);
  }
  return `${fault.count} messages that nobody can read for ${consumer.entity}`;
}

/** Backs a database up now. After the fault's time kills the processes of its services, restores it and starts them again. */
async function restore(harness: Harness, fault: Fault): Promise<string> {
  const { database } = serviceOf(harness, fault);
  const { schedule } = harness.world;
  await database.backUp();
  harness.activeFaults.scheduled += 1;
  setTimeout(() => {
    harness.activeFaults.scheduled -= 1;
    harness.world.note({ name: "fault" }, `${database.name} is restored from its backup`);
    const slots = harness.slots.filter(({ service }) => service.database?.name === database.name);
    for (const slot of slots) {
      slot.process?.kill();
      slot.process = undefined;
    }
    harness.cutAll(database.name);
    void schedule.hold(() => database.restore()).then(() => slots.forEach(harness.start));
  }, fault.ms);
  return `${database.name} is backed up`;
}
