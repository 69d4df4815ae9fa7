import type { EventModel } from "./consumer-model.js";

/*
 * What the calls of a hook have done so far. By it the next hook of a batch may begin while the last statement of the one before is
 * under way.
 */

export interface HookProfile {
  /** The most statements that a call has sent. */
  statements: number;
  /** Calls in a row that waited for nothing but their statements, and sent none more than any before. */
  steady: number;
  /** A cursor, or a statement with a callback, whose end nobody tells. */
  sentOther: boolean;
}

const profiles = new WeakMap<EventModel, HookProfile>();

export function profileOf(event: EventModel): HookProfile {
  const known = profiles.get(event);
  if (known !== undefined) return known;
  const profile = { statements: 0, steady: 0, sentOther: false };
  profiles.set(event, profile);
  return profile;
}

/** From so many steady calls on the next ones are expected to be so. */
const STEADY_CALLS = 20;

/** It is expected to end with its last statement, and to send no more of them than ever before. */
export function isPredictable({ statements, steady, sentOther }: HookProfile): boolean {
  return !sentOther && statements > 0 && steady >= STEADY_CALLS;
}

/** One call of a hook, while it lasts. */
export interface HookCallRecord {
  /** Statements sent. */
  readonly sent: number;
  /** A statement is under way. */
  readonly busy: boolean;
  /** Before a statement is sent: whether its answer will be awaited by a promise. */
  sending(isAwaited: boolean): void;
  /** Of a statement that is sent ahead of its first. */
  beginning(): void;
  answered(): void;
  /** The call is over, and no other had failed: what it did counts. */
  ended(): void;
}

export function recordCall(profile: HookProfile): HookCallRecord {
  let sent = 0;
  let underWay = 0;
  let waitedElsewhere = false;
  let turn = currentTurn();
  const leaveIdle = () => {
    if (underWay === 0 && turn !== currentTurn()) waitedElsewhere = true;
  };
  return {
    get sent() {
      return sent;
    },
    get busy() {
      return underWay > 0;
    },
    sending(isAwaited) {
      leaveIdle();
      sent += 1;
      if (isAwaited) underWay += 1;
      else profile.sentOther = true;
    },
    beginning() {
      underWay += 1;
    },
    answered() {
      underWay -= 1;
      turn = currentTurn();
    },
    ended() {
      leaveIdle();
      const isSteady = !waitedElsewhere && underWay === 0 && sent <= profile.statements;
      profile.steady = isSteady ? profile.steady + 1 : 0;
      profile.statements = Math.max(profile.statements, sent);
    },
  };
}

let turns = 0;
let isCounting = false;

/** The turn of the event loop: whoever waits for what an answer brings only, goes on in the turn of the answer. */
function currentTurn(): number {
  if (!isCounting) {
    isCounting = true;
    setImmediate(() => {
      turns += 1;
      isCounting = false;
    });
  }
  return turns;
}
