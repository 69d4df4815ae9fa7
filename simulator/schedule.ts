import type { Random } from "./random.js";
import { realPause, type VirtualTime } from "./time.js";

/*
 * Who does what next. Everything that leaves a simulated process, to the database, the broker or another
 * service, is a step: it waits here until it is chosen, and is done to its end before the next is chosen. So the
 * order of all effects is the seed's, on a database that knows nothing of it.
 */

/** Whatever takes steps: a process of a service, a writer, the world itself. */
export interface Actor {
  readonly name: string;
  /** A dead one's steps are never performed. */
  alive: boolean;
  /** A frozen one's steps wait until it thaws, as after SIGSTOP. */
  frozen: boolean;
  /** How often it is chosen, relative to others: slow processes make other schedules than fast ones. */
  weight: number;
  /** Up to this step it comes only after all others: it has stalled, between any two things that it does. */
  stalledUntil?: number;
}

/** A statement that waits for a lock: it is under way, and ends when somebody else's step lets it. */
export interface Blocked {
  readonly still: () => Promise<boolean>;
  /** Resolves when it has ended. */
  readonly finish: () => Promise<void>;
}

export type Performance = () => Promise<Blocked | undefined>;

export interface Schedule {
  /** Puts a step down. It is performed when it is chosen; never, when the actor dies before. */
  post(actor: Actor, what: string, perform: Performance): void;
  /** Puts a step down that gives something. Stays pending for ever when the actor dies. */
  step<T>(actor: Actor, what: string, work: () => T | Promise<T>): Promise<T>;
  /** Work of an actor that is no step, such as a hook that waits for a file: nothing else is done meanwhile. */
  outside<T>(actor: Actor, work: Promise<T>): Promise<T>;
  /** Nothing else is done before this has ended, after what is held already: a server that tidies up after a client that is gone. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is held. */
  tidied(): Promise<void>;
  /** Does one thing: a step, or, when there is none, the next timer. False when nothing is left to be done. */
  turn(): Promise<boolean>;
  /** From here on nobody stalls. */
  endStalls(): void;
  /** Steps performed so far. */
  readonly steps: number;
  /** Something waits to be done by somebody who can. */
  busy(): boolean;
}

export interface ScheduleOptions {
  readonly random: Random;
  readonly time: VirtualTime;
  readonly onStep: (line: TraceLine) => void;
}

export interface TraceLine {
  readonly step: number;
  readonly ms: number;
  readonly actor: string;
  readonly what: string;
}

interface Step {
  readonly actor: Actor;
  readonly what: string;
  readonly perform: Performance;
}

/** Now and then time goes on although something could be done: whoever has not been chosen was slow. */
const TIME_FLIES = 0.02;
/** Of those chosen, so many stall instead: others get ahead of what they have in hand. */
const STALLS = 0.015;
/** In steps of others. A whole life, from its creation to its end, is about a hundred. */
const STALL_STEPS = [10, 30, 100, 250] as const;
/** While all who could do something have stalled, more is left to timers. */
const TIME_FLIES_IN_STALL = 0.5;
/** Longer than the database takes to find a deadlock. */
const DEADLOCK_MS = 10;
/** A hook that neither ends nor does anything that is seen here waits for a timer of its own. */
const OUTSIDE_MS = 250;

export function createSchedule({ random, time, onStep }: ScheduleOptions): Schedule {
  let waiting: Step[] = [];
  let blocked: { readonly step: Step; readonly lock: Blocked }[] = [];
  const outside = new Map<Actor, Set<Promise<unknown>>>();
  let held: Promise<unknown> | undefined;
  let steps = 0;
  let stalls = true;

  const post = (actor: Actor, what: string, perform: Performance) => {
    if (actor.alive) waiting.push({ actor, what, perform });
  };
  const runnable = () => waiting.filter(({ actor }) => !actor.frozen);
  const isStalled = ({ actor }: Step) => stalls && (actor.stalledUntil ?? 0) > steps;
  const choose = (able: readonly Step[]): Step => {
    const actors = [...new Set(able.map(({ actor }) => actor))];
    let place = random.int(actors.reduce((sum, { weight }) => sum + weight, 0));
    const chosen = actors.find(({ weight }) => {
      place -= weight;
      return place < 0;
    });
    return random.pick(able.filter(({ actor }) => actor === chosen));
  };
  const perform = async (step: Step) => {
    waiting.splice(waiting.indexOf(step), 1);
    steps += 1;
    const lock = await step.perform();
    onStep({
      step: steps,
      ms: time.elapsed(),
      actor: step.actor.name,
      what: lock === undefined ? step.what : `${step.what} … waits for a lock`,
    });
    if (lock !== undefined) blocked.push({ step, lock });
  };
  /** True when one of the statements that waited for a lock has it now. */
  const release = async () => {
    blocked = blocked.filter(({ step }) => step.actor.alive);
    for (const one of blocked) {
      if (await one.lock.still()) continue;
      await one.lock.finish();
      blocked = blocked.filter((other) => other !== one);
      onStep({
        step: steps,
        ms: time.elapsed(),
        actor: one.step.actor.name,
        what: `${one.step.what} … has the lock`,
      });
      return true;
    }
    return false;
  };
  const awaitOutside = async () => {
    for (const [actor, works] of outside) {
      const seen =
        waiting.some((step) => step.actor === actor) || blocked.some(({ step }) => step.actor === actor);
      if (!actor.alive || actor.frozen || seen || works.size === 0) continue;
      await Promise.race([...works, realPause(OUTSIDE_MS)]).catch(() => undefined);
      await settle();
    }
  };

  const tidied = async () => {
    while (held !== undefined) {
      const last = held;
      await last;
      if (held === last) held = undefined;
      await settle();
    }
  };

  return {
    post,
    step: (actor, what, work) =>
      new Promise((resolve, reject) => {
        post(actor, what, async () => {
          try {
            resolve(await work());
          } catch (error) {
            reject(error);
          }
          return undefined;
        });
      }),
    outside(actor, work) {
      const works = outside.get(actor) ?? new Set();
      outside.set(actor, works);
      works.add(work);
      const forget = () => works.delete(work);
      work.then(forget, forget);
      return work;
    },
    hold(work) {
      const mine = (held ?? Promise.resolve()).then(work);
      const ended = mine.catch(() => undefined);
      held = ended;
      return mine;
    },
    tidied,
    endStalls() {
      stalls = false;
    },
    async turn() {
      await settle();
      await tidied();
      await awaitOutside();
      waiting = waiting.filter(({ actor }) => actor.alive);
      if (await release()) return true;
      const able = runnable();
      const ready = able.filter((step) => !isStalled(step));
      if (stalls && ready.length > 0 && random.chance(STALLS)) {
        choose(ready).actor.stalledUntil = steps + random.pick(STALL_STEPS);
        return true;
      }
      if (able.length > 0 && !random.chance(ready.length > 0 ? TIME_FLIES : TIME_FLIES_IN_STALL)) {
        await perform(choose(ready.length > 0 ? ready : able));
        return true;
      }
      if (time.next()) return true;
      if (blocked.length === 0) return able.length > 0;
      await realPause(DEADLOCK_MS);
      return true;
    },
    get steps() {
      return steps;
    },
    busy: () => blocked.length > 0 || runnable().length > 0,
  };
}

/** Lets everything that follows from the last step run, until it waits for another: promises, streams and ticks. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
