import { groupBy } from "../collections/group-by.js";
import { emitTransitions, type PrintedTransition, type Statement } from "../emit/sql/emit-transitions.js";
import { openFlow } from "../flow/flow.js";
import type { HookReads } from "../flow/hook-reads.js";
import type { Mesh } from "../model/mesh.js";
import type { Templates } from "../templates.js";
import { compareCalls } from "./call-changes.js";
import { type Change, changeOf, concerning } from "./change.js";
import { classNames } from "./change-class.js";
import { compareDatabases } from "./database-changes.js";
import { compareEvents } from "./event-changes.js";
import { readFormerNames } from "./former-names.js";
import { type Meshes, same } from "./meshes.js";
import { distinct } from "./readers.js";
import { compareServices } from "./service-changes.js";
import { giveStatements } from "./statements.js";

export interface MeshDiff {
  /** Worst first, each with the SQL that is its own. */
  readonly changes: readonly Change[];
  /** What else runs: functions and triggers, checks and indexes that follow from payloads and cascades. */
  readonly statements: readonly DatabaseStatements[];
  /** Why releases of before cannot run on a database after it, as the head of its migration will say. */
  readonly breaks: readonly { readonly database: string; readonly reasons: readonly string[] }[];
}

export interface DatabaseStatements {
  readonly database: string;
  readonly statements: readonly Statement[];
}

/** What an edit means to those who run releases that were made before it. Pure; nothing but the two models counts. */
export function compareMeshes(
  before: Mesh,
  next: Mesh,
  { templates, hooks }: { readonly templates: Templates; readonly hooks?: HookReads },
): MeshDiff {
  const flows = { before: openFlow(before, hooks), next: openFlow(next, hooks) };
  const meshes: Meshes = { before, next, former: readFormerNames(before, next), flows };
  const changes = [
    ...compareNames(before, next),
    ...compareEvents(meshes),
    ...compareServices(meshes),
    ...compareDatabases(meshes),
    ...compareCalls(meshes),
  ];
  const transitions: readonly PrintedTransition[] = emitTransitions(before, next, templates);
  const { changes: given, rest } = giveStatements(joinSubjects(changes), transitions);
  return {
    changes: given
      .filter(isMade)
      .toSorted((a, b) => classNames.indexOf(a.class) - classNames.indexOf(b.class)),
    statements: rest,
    breaks: transitions.flatMap(({ database, breaks: reasons }) =>
      reasons.length === 0 ? [] : [{ database, reasons }],
    ),
  };
}

/** An index is neither built nor dropped where a reference or a cascade needs the same one. */
function isMade({ kind, class: of, statements }: Change): boolean {
  const isOfIndex = kind === "index-added" || kind === "index-removed";
  return !isOfIndex || of !== "operational" || statements.length > 0;
}

function compareNames({ name: was }: Mesh, { name }: Mesh): readonly Change[] {
  if (was === name) return [];
  const message = `the mesh is called ${name}, no longer ${was}: ids of exported schemas begin with urn:meshwright:${name}:, no longer with urn:meshwright:${was}:`;
  return [changeOf("mesh-renamed", { path: ["mesh"], message })];
}

/** What several events of an entity have in common, or all payloads that use a type, is told of once. */
function joinSubjects(changes: readonly Change[]): readonly Change[] {
  const groups = groupBy(changes, ({ kind, class: of, subject, message, concerns, path, part }) => {
    if (subject === undefined) return JSON.stringify([kind, path, message]);
    // Each owner deploys by itself.
    if (path[0] === "types") return JSON.stringify([kind, of, path, part.owner]);
    return JSON.stringify([kind, of, message, concerns, String(path[1]).replace(/\.[^.]*$/, "")]);
  });
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const subjects = [first, ...others].flatMap(({ subject }) => subject ?? []);
    const also = others.map(({ path }) => path).filter((path) => !same(path, first.path));
    const concerns = distinct([first, ...others].flatMap((change) => change.concerns));
    return [
      {
        ...(others.length === 0 ? first : concerning(first, concerns)),
        also,
        message: messageOfAll(first.message, others),
        ...(subjects.length > 0 && { subject: [...new Set(subjects)].join(", ") }),
      },
    ];
  });
}

/** That of the first, with the fields of which the others say it. */
function messageOfAll(message: string, others: readonly Change[]): string {
  const fieldOf = (text: string) => /^\w*/.exec(text)?.[0] ?? "";
  const named = [...new Set(others.map((other) => fieldOf(other.message)))];
  const more = named.filter((field) => field !== "" && field !== fieldOf(message));
  return more.length === 0 ? message : `${message}; so of ${more.join(", ")}`;
}
