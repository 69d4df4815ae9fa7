/** What an edit of mesh.yaml is to those who run releases that were made before it, worst first. */
export const changeClasses = {
  destructive:
    "Rows, values, or the identity of rows go, and nobody can bring them back; or the migration fails on values that do not fit.",
  "breaking-publisher":
    "The owner's own release of before fails beside it: its running replicas, the service written by hand, the code that publishes.",
  "breaking-consumer":
    "Who hears or reads the service fails, or is told something else: subscribers and their copies, HTTP clients.",
  operational:
    "Every release works on, where whoever deploys minds something: an order, a lock, a variable, a time.",
  compatible: "Every release works on, in whatever order they come.",
} as const;

/** A key of `changeClasses`. */
export type ChangeClass = keyof typeof changeClasses;

export const classNames = Object.keys(changeClasses) as readonly ChangeClass[];

export function isChangeClass(word: string): word is ChangeClass {
  return Object.hasOwn(changeClasses, word);
}

/** What `--fail-on` means where it is not said. */
export const FAILING: readonly ChangeClass[] = ["destructive", "breaking-publisher", "breaking-consumer"];

/** What a kind of change is, said once for all edits that are of it. */
export interface KindFacts {
  readonly class: ChangeClass;
  /** What was edited. */
  readonly title: string;
  /** Why it has its class. */
  readonly why: string;
  readonly order: DeployOrder;
  /** The edit that spares the harm; undefined: there is none to spare. */
  readonly safe?: string;
  /** In place of its class for a copy, whose rows come again from their source: who suffers is who reads it. */
  readonly ofCopy?: ChangeClass;
  /** What it is for a table that exists, of which the mesh is told only; undefined: what it is for others. */
  readonly ofExisting?: "compared" | "not compared" | "left behind";
  /** Who of those that use a table notices; undefined: replicas of its service, and who reads it over HTTP. */
  readonly noticedBy?: "nobody" | "readers" | "writers" | "replicas and writers";
  /** Of a payload: code that publishes the event has to keep to it as well. */
  readonly bindsPublisher?: true;
}

/** `owner`: of the database. */
export type First = "anybody" | "operator" | "owner" | "publisher" | "consumers";

const LEAVES = "delete its durables; what else it leaves stays until somebody removes it";

/** Who comes first, and over how many releases; of several, a text for each. */
export const deployOrders = {
  any: { releases: 1, first: "anybody", text: () => ["in any order"] },
  "configuration-first": {
    releases: 1,
    first: "operator",
    text: () => [
      "bring the broker, variables and roles up to date (mesh provision, generated/), then deploy",
    ],
  },
  "consumers-first": {
    releases: 1,
    first: "consumers",
    text: ({ owner, others }: Parties) => [`deploy ${others} to the last replica, then ${owner}`],
  },
  "publisher-first": {
    releases: 1,
    first: "publisher",
    text: ({ owner, others }: Parties) => [`deploy ${owner} to the last replica, then ${others}`],
  },
  "demand-later": {
    releases: 2,
    first: "publisher",
    text: ({ owner, kept }: Parties) => [
      `${owner} sends what will be demanded, and nobody demands it yet`,
      `demand it, once no older event is left${kept}`,
    ],
  },
  "stop-demanding": {
    releases: 2,
    first: "consumers",
    text: ({ owner, others }: Parties) => [`${others} can do without it`, `${owner} no longer sends it`],
  },
  "expand-contract": {
    releases: 3,
    first: "publisher",
    text: ({ owner, others, kept }: Parties) => [
      `${owner} sends the new form beside the old one`,
      `the new one is read by ${others}`,
      `the old one goes, once no older event is left${kept}`,
    ],
  },
  "show-both": {
    releases: 3,
    first: "publisher",
    text: ({ owner, others }: Parties) => [
      `${owner} shows the new form beside the old one`,
      `the new one is read by ${others}`,
      "the old one goes",
    ],
  },
  "expand-contract-rows": {
    releases: 3,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} has the new column beside the old one, and writes both`,
      `${owner} reads the new one, and rows of before are filled in`,
      "the old one goes",
    ],
  },
  "copies-before-rows": {
    releases: 3,
    first: "consumers",
    text: ({ owner, others }: Parties) => [
      `deploy ${others}, whose copy takes what is new, to the last replica; then ${owner} has the new column beside the old one, and writes both`,
      `${owner} reads the new one, and rows of before are filled in`,
      "the old one goes",
    ],
  },
  "copy-filled-first": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} has the column with null: true, and a snapshot fills it`,
      "demand it",
    ],
  },
  "expand-contract-copy": {
    releases: 3,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} has the new column beside the old one, and a snapshot fills it`,
      `${owner} reads the new one`,
      "the old one goes",
    ],
  },
  "use-no-longer": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} no longer uses it (null: true, or a default)`,
      "drop it, with --allow-destructive",
    ],
  },
  "table-out-of-use": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} neither reads nor writes the table`,
      "drop it, with --allow-destructive",
    ],
  },
  "new-table": {
    releases: 3,
    first: "owner",
    text: ({ owner, others }: Parties) => [
      `${owner} has the new table beside the old one, and writes both`,
      `the new one is read by ${owner} and ${others}, and rows of before are copied`,
      "the old one goes",
    ],
  },
  "column-filled-first": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} has the column with null: true and writes it always; rows of before are filled`,
      "demand it",
    ],
  },
  "deletions-first": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} deletes what names a row before the row itself, or no such row`,
      "let the database refuse the others",
    ],
  },
  "both-paths": {
    releases: 3,
    first: "publisher",
    text: ({ owner, others }: Parties) => [
      `${owner} serves it under both paths`,
      `the new one is asked by ${others}`,
      "the old one goes",
    ],
  },
  "rows-first": {
    releases: 2,
    first: "owner",
    text: ({ owner }: Parties) => [
      `${owner} writes only rows that fit, and those that do not are settled`,
      "demand it",
    ],
  },
  "stop-service": {
    releases: 1,
    first: "anybody",
    text: ({ owner }: Parties) => [`stop ${owner}, then ${LEAVES}`],
  },
  "readers-before-stop": {
    releases: 1,
    first: "consumers",
    text: ({ owner, others }: Parties) => [
      `deploy ${others} without it to the last replica, then stop ${owner} and ${LEAVES}`,
    ],
  },
  "stop-replicas": {
    releases: 1,
    first: "owner",
    text: ({ owner }: Parties) => [
      `stop ${owner}, migrate, start its new release: the two do not run together`,
    ],
  },
} as const satisfies Record<
  string,
  {
    readonly releases: number;
    readonly first: First;
    readonly text: (parties: Parties) => readonly string[];
  }
>;

export type DeployOrder = keyof typeof deployOrders;

/** What happens, release by release where there are several. */
export function stepsOf(order: DeployOrder, parties: Parties): readonly string[] {
  const { releases, text } = deployOrders[order];
  return text(parties).map((says, index) => (releases === 1 ? says : `release ${index + 1}: ${says}`));
}

/** As they are called in sentences. */
export interface Parties {
  readonly owner: string;
  readonly others: string;
  /** ` (AUTH keeps them for 7 days)` */
  readonly kept: string;
}
