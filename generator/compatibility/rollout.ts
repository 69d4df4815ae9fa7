import { groupBy } from "../collections/group-by.js";
import { type Change, messageOf } from "./change.js";

/** How several changes are deployed together. */
export interface Rollout {
  readonly releases: readonly Release[];
  /** Which of them cannot go into one release, a sentence each. */
  readonly conflicts: readonly string[];
}

export interface Release {
  readonly steps: readonly RolloutStep[];
  /** Services in the order of their deployment, those of one list in any; empty: none is asked for. */
  readonly sequence: readonly (readonly string[])[];
}

export interface RolloutStep {
  /** `files, jobs can do without it` */
  readonly does: string;
  /** What of: messages of changes. */
  readonly of: readonly string[];
}

type Asking = Pick<Change, "subject" | "message" | "part">;
/** The first is deployed before the second. */
type Pair = readonly [string, string];

interface Placed {
  readonly change: Asking;
  /** In which it begins, from 0. */
  readonly release: number;
}

/** undefined: no two of the changes ask for something different. What asks for nothing goes into any release. */
export function joinRollout(changes: readonly Asking[]): Rollout | undefined {
  const asking = changes.filter(({ part }) => part.order !== "any");
  if (new Set(asking.map(({ part }) => part.texts.join())).size < 2) return undefined;
  const placed: Placed[] = [];
  const conflicts: string[] = [];
  for (const change of asking) {
    const there = (release: number) => placed.filter((other) => other.release === release);
    let release = 0;
    while (!isPossible([...there(release), { change, release }])) release += 1;
    if (release > 0) conflicts.push(conflictText(change, there(0), release));
    placed.push({ change, release });
  }
  const count = Math.max(...placed.map(({ change, release }) => release + change.part.texts.length));
  return { releases: Array.from({ length: count }, (_, index) => releaseOf(index, placed)), conflicts };
}

function isPossible(placed: readonly Placed[]): boolean {
  return sequenceOf(placed) !== undefined;
}

function conflictText(change: Asking, there: readonly Placed[], release: number): string {
  const opponent =
    there.find((other) => !isPossible([other, { change, release }]))?.change ?? there[0]?.change;
  const asks = [opponent, change].flatMap((each) =>
    each === undefined ? [] : `"${messageOf(each)}" asks to ${each.part.texts.join("; ")}`,
  );
  return `${asks.join(", and ")}: make the second edit in release ${release + 1}`;
}

function releaseOf(index: number, placed: readonly Placed[]): Release {
  const here = placed.flatMap(({ change, release }) => {
    const does = change.part.texts[index - release];
    return does === undefined ? [] : [{ change, does, release }];
  });
  const rest = here.filter(({ change }) => pairsOf(change).length === 0);
  const isOfOperator = ({ change }: (typeof here)[number]) => change.part.order === "configuration-first";
  const inOrder = [...rest.filter(isOfOperator), ...rest.filter((one) => !isOfOperator(one))];
  return {
    steps: [...groupBy(inOrder, ({ does }) => does)].map(([does, those]) => ({
      does,
      of: [...new Set(those.map(({ change }) => messageOf(change)))],
    })),
    sequence: sequenceOf(here) ?? [],
  };
}

/** Who is deployed before whom in one release. */
function pairsOf({ part: { order, owner, others } }: Asking): readonly Pair[] {
  if (order === "publisher-first") return others.map((other) => [owner, other]);
  return order === "consumers-first" ? others.map((other) => [other, owner]) : [];
}

/** In as few steps as the pairs allow; undefined: they lead in a circle. */
function sequenceOf(placed: readonly Pick<Placed, "change">[]): Release["sequence"] | undefined {
  const pairs = placed.flatMap(({ change }) => pairsOf(change));
  const steps: (readonly string[])[] = [];
  let left: readonly string[] = [...new Set(pairs.flat())].sort();
  while (left.length > 0) {
    const waiting = new Set(pairs.flatMap(([first, then]) => (left.includes(first) ? [then] : [])));
    const free = left.filter((service) => !waiting.has(service));
    if (free.length === 0) return undefined;
    steps.push(free);
    left = left.filter((service) => waiting.has(service));
  }
  return steps;
}
