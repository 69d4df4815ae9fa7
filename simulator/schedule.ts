import type { Random } from "./random.js";
import { realPause, type VirtualTime } from "./time.js";

/*
 * Who does what next. Everything that leaves a simulated process, to the database, the broker or another service, is a
 * step. A step waits here until it is chosen, and ends before the next is chosen. So the seed decides the order of all
 * effects, also on a real database.
 */

/** What takes steps: a process of a service, or a writer. */
export interface Actor {
  readonly name: string;
  /** Steps of a dead actor are never performed. */
  alive: boolean;
  /** Steps of a frozen actor wait until it is no longer frozen, as after SIGSTOP. */
  frozen: boolean;
  /** How often it is chosen, relative to others. */
  weight: number;
  /** Up to this step of the schedule it is chosen only when no other actor can act. */
  stalledUntil?: number;
}

/** A statement that waits for a lock. It ends when a step of another actor releases that lock. */
export interface Blocked {
  readonly isWaiting: () => Promise<boolean>;
  /** Waits for its answer and delivers it. False when it waits for another lock instead. */
  readonly finish: () => Promise<boolean>;
}

export type Performance = () => Promise<Blocked | undefined>;

export interface Schedule {
  /** Queues a step. It is performed when it is chosen, or never, if the actor dies before. */
  post(actor: Actor, what: string, perform: Performance): void;
  /** Queues a step and resolves with its result. Stays pending for ever if the actor dies before. */
  step<T>(actor: Actor, what: string, work: () => T | Promise<T>): Promise<T>;
  /** Work of an actor that is not a step, such as a hook that reads a file. No step is chosen until it ends. */
  outside<T>(actor: Actor, work: Promise<T>): Promise<T>;
  /** Work of no actor, such as the server's clean-up after a client is gone. No step is chosen until it ends; one at a time. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when all work given to `hold` has ended. */
  heldEnded(): Promise<void>;
  /** Performs one step, or, when there is none, fires the next timer. False when nothing is left to be done. */
  turn(): Promise<boolean>;
  /** From here on no actor stalls. */
  endStalls(): void;
  /** Steps performed so far. */
  readonly steps: number;
  /** A step can be performed, or a statement waits for a lock. */
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

/** Chance that a timer fires although a step could be performed: the actors were slow. */
const TIMER_FIRST = 0.02;
/** Chance that a chosen actor stalls instead: others overtake it in the middle of its work. */
const STALL = 0.015;
/** Length of a stall, in steps. An entity from its creation to its deletion takes about a hundred. */
const STALL_STEPS = [10, 30, 100, 250] as const;
/** The same chance while every actor that could act has stalled. */
const TIMER_FIRST_IN_STALL = 0.5;
/** Real time given to work outside: a hook that does nothing visible for so long waits for a virtual timer. */
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
    let left = random.int(actors.reduce((sum, { weight }) => sum + weight, 0));
    const chosen = actors.find(({ weight }) => {
      left -= weight;
      return left < 0;
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
  /** True if one of the statements that waited for a lock has it now, and was finished. */
  const release = async () => {
    blocked = blocked.filter(({ step }) => step.actor.alive);
    for (const one of blocked) {
      if (await one.lock.isWaiting()) continue;
      if (!(await one.lock.finish())) continue;
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

  const heldEnded = async () => {
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
    heldEnded,
    endStalls() {
      stalls = false;
    },
    async turn() {
      await settle();
      await heldEnded();
      await awaitOutside();
      waiting = waiting.filter(({ actor }) => actor.alive);
      if (await release()) return true;
      const able = runnable();
      const ready = able.filter((step) => !isStalled(step));
      if (stalls && ready.length > 0 && random.chance(STALL)) {
        choose(ready).actor.stalledUntil = steps + random.pick(STALL_STEPS);
        return true;
      }
      if (able.length > 0 && !random.chance(ready.length > 0 ? TIMER_FIRST : TIMER_FIRST_IN_STALL)) {
        await perform(choose(ready.length > 0 ? ready : able));
        return true;
      }
      return time.next() || able.length > 0;
    },
    get steps() {
      return steps;
    },
    busy: () => blocked.length > 0 || runnable().length > 0,
  };
}

/** Runs what follows from the last step (promises, streams, ticks) until everything waits for a step or a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
