import type { SimulatedService } from "./mesh.js";
import type { Fault, FaultKind } from "./plan.js";
import type { Cast, Role } from "./replica-slots.js";

/*
 * What goes wrong. Each fault is one pull at the world's strings; most of them let go by themselves after a time.
 */

type Pull = (cast: Cast, fault: Fault) => string | Promise<string>;

const HOUR_MS = 3_600_000;

/** Does it, and notes it in the trace. */
export async function applyFault(cast: Cast, fault: Fault): Promise<void> {
  const what = await PULLS[fault.kind](cast, fault);
  cast.world.note({ name: "fault" }, what);
}

const PULLS: Readonly<Record<FaultKind, Pull>> = {
  kill(cast, fault) {
    const role = roleOf(cast, fault);
    cast.kill(role, fault.ms);
    return `kill -9 of ${role.name}, for ${fault.ms} ms`;
  },
  freeze(cast, fault) {
    const role = roleOf(cast, fault);
    const life = role.life;
    // Longer than the relay's proof of its seat lasts.
    const ms = fault.ms + 1_500;
    if (life !== undefined) {
      life.actor.frozen = true;
      setTimeout(() => {
        life.actor.frozen = false;
      }, ms);
    }
    return `${role.name} is frozen for ${ms} ms`;
  },
  stop(cast, fault) {
    const role = roleOf(cast, fault);
    const { life } = role;
    if (life !== undefined) void stopAndStart(cast, role, fault.ms);
    return `SIGTERM for ${role.name}`;
  },
  "broker down"({ world }, { ms }) {
    world.server.setUp(false);
    setTimeout(() => world.server.setUp(true), ms);
    return `the broker is down for ${ms} ms`;
  },
  "database down"(cast, fault) {
    const { database } = serviceOf(cast, fault);
    cast.troubles.downDatabases.add(database.name);
    cast.cutAll(database.name);
    setTimeout(() => cast.troubles.downDatabases.delete(database.name), fault.ms);
    return `${database.name} is down for ${fault.ms} ms`;
  },
  "cut the database"(cast, fault) {
    const { life, name } = roleOf(cast, fault);
    const when = fault.count % 2 === 0 ? "before" : "after";
    if (life !== undefined) cast.troubles.cuts.set(life.actor, when);
    return `${name} loses its database connection ${when} its next statement is executed`;
  },
  "cut the broker"(cast, fault) {
    const { life, name } = roleOf(cast, fault);
    life?.cutBroker();
    return `${name} loses its connection to the broker`;
  },
  resync(cast, fault) {
    const { life, name, service } = roleOf(cast, fault);
    for (const { durable } of service.definition.consumers) void life?.parts()?.resync(durable);
    return `${name} is told to resync`;
  },
  "source fails"({ troubles }, { count }) {
    troubles.sourceFailures += count;
    return `the next ${count} readings of a source fail`;
  },
  "hook fails"({ troubles }, { ms }) {
    troubles.hooksFail = true;
    setTimeout(() => {
      troubles.hooksFail = false;
    }, ms);
    return `hooks fail for ${ms} ms`;
  },
  poison: (cast, fault) => poison(cast, fault),
  redeliver(cast, fault) {
    const { world } = cast;
    const consumers = consumersOf(cast);
    const consumer = consumers[fault.target % consumers.length];
    const log = consumer === undefined ? [] : world.server.log(consumer.stream.name);
    const again = Array.from(
      { length: log.length === 0 ? 0 : fault.count },
      () => world.random.pick(log).seq,
    );
    for (const seq of again)
      if (consumer) world.server.redeliver(consumer.stream.name, consumer.durable, seq);
    return `${consumer?.durable ?? "nobody"} is delivered ${again.map((seq) => `#${seq}`).join(", ")} again`;
  },
  clock(cast, fault) {
    const { database } = serviceOf(cast, fault);
    const ms = fault.count % 2 === 0 ? HOUR_MS : -HOUR_MS;
    cast.troubles.skew.set(database.name, ms);
    return `the clock of ${database.name} is off by ${ms / HOUR_MS} h`;
  },
  "delete the durable"(cast, fault) {
    const consumers = consumersOf(cast);
    const consumer = consumers[fault.target % consumers.length];
    if (consumer !== undefined) cast.world.server.deleteConsumer(consumer.stream.name, consumer.durable);
    return `the durable ${consumer?.durable ?? "of nobody"} is deleted`;
  },
  "delete the stream"(cast, fault) {
    const stream = streamOf(cast, fault);
    cast.world.server.deleteStream(stream);
    return `stream ${stream} is deleted`;
  },
  "purge the stream"(cast, fault) {
    const stream = streamOf(cast, fault);
    cast.world.server.purge(stream);
    return `stream ${stream} is purged`;
  },
  "lose the tail"(cast, fault) {
    const stream = streamOf(cast, fault);
    cast.world.server.loseTail(stream, fault.count);
    return `stream ${stream} loses its last ${fault.count} messages`;
  },
  "restore the database": (cast, fault) => restore(cast, fault),
};

function roleOf({ roles }: Cast, { target }: Fault): Role {
  return roles[target % roles.length] as Role;
}

function serviceOf({ world }: Cast, { target }: Fault): SimulatedService {
  return world.mesh.services[target % world.mesh.services.length] as SimulatedService;
}

function consumersOf({ world }: Cast) {
  return world.mesh.services.flatMap(({ definition }) => definition.consumers);
}

function streamOf({ world }: Cast, { target }: Fault): string {
  const names = world.mesh.services.flatMap(({ definition }) => definition.stream?.name ?? []);
  return names[target % names.length] ?? "";
}

/** A service that does not end by itself within this is a finding. */
const STOP_WITHIN_MS = 60_000;

async function stopAndStart(cast: Cast, role: Role, downMs: number): Promise<void> {
  const { life } = role;
  const limit = setTimeout(() => {
    if (role.life === life && life?.actor.alive) cast.world.fail(`${role.name} did not end after SIGTERM`);
  }, STOP_WITHIN_MS);
  await life?.stop();
  clearTimeout(limit);
  if (role.life !== life) return;
  cast.kill(role, downMs);
}

/** Bodies that no schema takes, on subjects that somebody reads. */
const POISON = ["", "no JSON", "{", "null", '{"metadata":{}}', "\u0000", "[1,2,3]"];

function poison(cast: Cast, fault: Fault): string {
  const { world, troubles } = cast;
  const consumers = consumersOf(cast);
  const consumer = consumers[fault.target % consumers.length];
  if (consumer === undefined) return "nobody is poisoned";
  for (let number = 0; number < fault.count; number += 1) {
    const action =
      fault.ms % 5 === 0 ? "exploded" : (consumer.events[number % consumer.events.length]?.action ?? "");
    const subject = `${consumer.entity}.poison-${troubles.poison.length + 1}.${action}`;
    const stored = world.server.inject(
      subject,
      Buffer.from(POISON[(fault.ms + number) % POISON.length] ?? ""),
    );
    if (stored) troubles.poison.push(subject);
  }
  return `${fault.count} messages that nobody can read for ${consumer.entity}`;
}

/** Its backup is of now; after the time all its processes are killed, and find what was then. */
async function restore(cast: Cast, fault: Fault): Promise<string> {
  const { database, definition } = serviceOf(cast, fault);
  const { schedule } = cast.world;
  await database.backUp();
  cast.troubles.coming += 1;
  setTimeout(() => {
    cast.troubles.coming -= 1;
    cast.world.note({ name: "fault" }, `${database.name} is restored from its backup`);
    const roles = cast.roles.filter(({ service }) => service.definition === definition);
    for (const role of roles) {
      role.life?.crash();
      role.life = undefined;
    }
    cast.cutAll(database.name);
    void schedule.hold(() => database.restore()).then(() => roles.forEach(cast.start));
  }, fault.ms);
  return `${database.name} is backed up`;
}
