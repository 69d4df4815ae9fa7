import type { Statement } from "../emit/sql/emit-transitions.js";
import {
  type ChangeClass,
  type DeployOrder,
  deployOrders,
  type First,
  type KindFacts,
  type Parties,
  stepsOf,
} from "./change-class.js";
import { columnKinds } from "./column-kinds.js";
import { databaseKinds } from "./database-kinds.js";
import { eventKinds } from "./event-kinds.js";
import { serviceKinds } from "./service-kinds.js";

export const changeKinds = { ...eventKinds, ...databaseKinds, ...columnKinds, ...serviceKinds };

/** A key of `changeKinds`. */
export type ChangeKind = keyof typeof changeKinds;

/** Someone whom a change concerns. */
export interface Concern {
  readonly service: string;
  /** What of it: `user_cache.display_name`, `GET /api/users`. */
  readonly field?: string;
  /** How it comes to be concerned: "keeps it", "its running replicas". */
  readonly as: string;
}

/** Keys that lead to a place in mesh.yaml; a list's entry is the one that has these texts, or is the text. */
export type Path = readonly (string | Readonly<Record<string, string>>)[];

export interface Deployment {
  readonly first: First;
  readonly releases: number;
  readonly steps: readonly string[];
}

export interface DeploymentPart {
  readonly order: DeployOrder;
  readonly owner: string;
  readonly others: readonly string[];
  /** As sentences call them. */
  readonly parties: Parties;
  /** One for each release. */
  readonly texts: readonly string[];
}

export interface Change {
  readonly kind: ChangeKind;
  readonly class: ChangeClass;
  readonly path: Path;
  /** Set where the path is one of the older mesh.yaml, since the thing is gone. */
  readonly gone: true | undefined;
  /** The other places where the same is said. */
  readonly also: readonly Path[];
  /** What it is about, where several may have the same change: an event. */
  readonly subject: string | undefined;
  readonly message: string;
  readonly concerns: readonly Concern[];
  readonly deployment: Deployment;
  /** Its part in the deployment of several changes. */
  readonly part: DeploymentPart;
  readonly safe: string | undefined;
  /** What of a database it is about, by old and new names. */
  readonly rows: RowsOf | undefined;
  readonly statements: readonly Statement[];
}

export interface RowsOf {
  readonly database: string;
  readonly tables: readonly string[];
  /** undefined: the whole table. */
  readonly columns?: readonly string[];
}

export interface Finding {
  readonly path: Path;
  readonly gone?: true | undefined;
  readonly subject?: string;
  readonly message: string;
  readonly concerns?: readonly Concern[];
  readonly parties?: Partial<Parties>;
  readonly rows?: RowsOf;
  /** In place of the kind's class, where who is concerned makes it another. */
  readonly class?: ChangeClass;
  /** In place of the kind's order, where the case is a special one. */
  readonly order?: DeployOrder;
  readonly safe?: string;
}

/** `UserCreated, UserUpdated: display_name goes` */
export function messageOf({ subject, message }: Pick<Change, "subject" | "message">): string {
  return subject === undefined ? message : `${subject}: ${message}`;
}

/** What hurts nobody breaks nothing, and nothing has to be spared then. */
export function changeOf(kind: ChangeKind, finding: Finding): Change {
  const facts: KindFacts = changeKinds[kind];
  const { path, gone, message, concerns = [], rows } = finding;
  const said = finding.class ?? facts.class;
  const isUnheard = concerns.length === 0 && (said === "breaking-consumer" || kind === "event-added");
  const isHarmless = isUnheard || finding.class === "compatible";
  const parties = { owner: "the owner", others: "its readers", kept: "", ...finding.parties };
  const asked = finding.order ?? facts.order;
  // Whom rows concern that nobody else reads, nobody comes after.
  const isAlone =
    asked === "publisher-first" &&
    rows !== undefined &&
    concerns.length > 0 &&
    concerns.every(({ service, field }) => service === parties.owner && field === undefined);
  const order = isHarmless || isAlone ? "any" : asked;
  return {
    kind,
    class: isUnheard ? "compatible" : said,
    path,
    gone,
    also: [],
    subject: finding.subject,
    message,
    concerns,
    ...deployed(order, parties, concerns),
    safe: isHarmless ? undefined : (finding.safe ?? facts.safe),
    rows,
    statements: [],
  };
}

function deployed(
  order: DeployOrder,
  parties: Parties,
  concerns: readonly Concern[],
): Pick<Change, "deployment" | "part"> {
  const { first, releases, text } = deployOrders[order];
  const { owner } = parties;
  const others = [...new Set(concerns.map(({ service }) => service))].filter((name) => name !== owner);
  return {
    deployment: { first, releases, steps: stepsOf(order, parties) },
    part: { order, owner, others, parties, texts: text(parties) },
  };
}

/** The same change where it concerns more than was known. */
export function concerning(change: Change, concerns: readonly Concern[]): Change {
  const { order, owner, parties } = change.part;
  const others = [...new Set(concerns.map(({ service }) => service))].filter((name) => name !== owner);
  const said = { ...parties, ...(others.length > 0 && { others: others.join(", ") }) };
  return { ...change, concerns, ...deployed(order, said, concerns) };
}
