import { groupBy } from "../collections/group-by.js";
import { emitTransitions, type PrintedTransition, type Statement } from "../emit/sql/emit-transitions.js";
import { openFlow } from "../flow/flow.js";
import type { HookReads } from "../flow/hook-reads.js";
import type { Call, Database, Mesh } from "../model/mesh.js";
import type { Templates } from "../templates.js";
import { type Change, changeOf } from "./change.js";
import { classNames } from "./change-class.js";
import { isReplaced } from "./database-replaced.js";
import { compareEvents } from "./event-changes.js";
import { readFormerNames } from "./former-names.js";
import { type Meshes, same } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { distinct, partiesOf } from "./readers.js";
import { compareServices } from "./service-changes.js";
import { giveStatements } from "./statements.js";
import { compareTables } from "./table-changes.js";
import { compareViews } from "./view-changes.js";

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
    changes: given.toSorted((a, b) => classNames.indexOf(a.class) - classNames.indexOf(b.class)),
    statements: rest,
    breaks: transitions.flatMap(({ database, breaks: reasons }) =>
      reasons.length === 0 ? [] : [{ database, reasons }],
    ),
  };
}

function compareNames({ name: was }: Mesh, { name }: Mesh): readonly Change[] {
  if (was === name) return [];
  const message = `the mesh is called ${name}, no longer ${was}: ids of exported schemas begin with urn:meshwright:${name}:, no longer with urn:meshwright:${was}:`;
  return [changeOf("mesh-renamed", { path: ["mesh"], message })];
}

/** What several events of an entity have in common, or all payloads that use a type, is told of once. */
function joinSubjects(changes: readonly Change[]): readonly Change[] {
  const groups = groupBy(changes, ({ kind, class: of, subject, message, concerns, path }) =>
    subject === undefined || path[0] === "types"
      ? JSON.stringify([kind, path, subject === undefined ? message : ""])
      : JSON.stringify([kind, of, message, concerns, String(path[1]).replace(/\.[^.]*$/, "")]),
  );
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const subjects = [first, ...others].flatMap(({ subject }) => subject ?? []);
    const also = others.map(({ path }) => path).filter((path) => !same(path, first.path));
    const concerns = distinct([first, ...others].flatMap((change) => change.concerns));
    return [
      {
        ...first,
        also,
        concerns,
        ...(subjects.length > 0 && { subject: [...new Set(subjects)].join(", ") }),
      },
    ];
  });
}

function compareDatabases(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  return pairUp(before.databases, next.databases, ({ name }) => name).flatMap(([previous, database]) => {
    const { name, service } = (database ?? previous) as Database;
    const concerns = [{ service, as: "whose it is" }];
    const said = { path: ["databases", name], concerns, parties: { owner: service } };
    if (previous === undefined) return [changeOf("database-added", { ...said, message: `${name} is new` })];
    if (database === undefined && isReplaced(previous, next)) return [];
    if (database === undefined)
      return [
        changeOf("database-removed", { ...said, gone: true, message: `${name} is no longer the mesh's` }),
      ];
    return [
      ...(previous.service === service
        ? []
        : [
            changeOf("database-moved", {
              ...said,
              message: `${name} is ${service}'s, no longer ${previous.service}'s`,
            }),
          ]),
      ...(same(previous.shared, database.shared)
        ? []
        : [
            changeOf("mesh-moved", {
              ...said,
              path: [...said.path, ...(database.shared === undefined ? [] : ["shares"])],
              message: `${name} has what the mesh keeps ${keptIn(database)}, no longer ${keptIn(previous)}`,
            }),
          ]),
      ...(previous.sql === database.sql
        ? []
        : [
            changeOf("sql-folder-changed", {
              ...said,
              path: [...said.path, "sql"],
              message: `${name} takes own SQL from ${database.sql ?? "nowhere"}, no longer from ${previous.sql ?? "nowhere"}`,
            }),
          ]),
      ...compareTables({ previous, next: database }, meshes),
      ...compareViews({ previous, next: database }, meshes),
    ];
  });
}

function keptIn({ shared }: Database): string {
  return shared === undefined ? "in schema mesh of its own" : `in schema ${shared.schema} of ${shared.with}`;
}

/** Those that syncs imply are said of the copy. */
function compareCalls({ before, next }: Meshes): readonly Change[] {
  const key = ({ caller, callee }: Call) => `${caller} ${callee}`;
  const grants = (call: Call | undefined, mesh: Mesh) => {
    const implied = call === undefined ? [] : pathsRead(call, mesh);
    return (call?.grants ?? [])
      .flatMap(({ path, verbs }) => verbs.map((verb) => ({ path, verb })))
      .filter(({ path, verb }) => verb !== "get" || !implied.includes(path))
      .map(({ path, verb }) => `${verb.toUpperCase()} ${path}`);
  };
  return pairUp(before.calls, next.calls, key).flatMap(([old, now]) => {
    const { caller, callee } = (now ?? old) as Call;
    const [was, is] = [grants(old, before), grants(now, next)];
    const [lost, gained] = [
      was.filter((grant) => !is.includes(grant)),
      is.filter((grant) => !was.includes(grant)),
    ];
    const concerns = [{ service: caller, as: "calls it" }];
    const said = {
      path: ["services", caller, "calls", callee],
      concerns,
      parties: partiesOf(callee, concerns, next),
    };
    return [
      ...(lost.length === 0
        ? []
        : [
            changeOf("call-removed", {
              ...said,
              message: `${caller} may no longer ask ${callee} for ${lost.join(", ")}`,
            }),
          ]),
      ...(gained.length === 0
        ? []
        : [
            changeOf("call-added", {
              ...said,
              message: `${caller} may ask ${callee} for ${gained.join(", ")}`,
            }),
          ]),
    ];
  });
}

/** What the caller reads for its copies, and to see which entities there are. */
function pathsRead({ caller, callee }: Call, { databases, services }: Mesh): readonly string[] {
  const copies = databases.filter(({ service }) => service === caller).flatMap(({ tables }) => tables);
  const consumers = services.find(({ name }) => name === caller)?.consumers ?? [];
  return [...copies.map(({ cache }) => cache?.sync), ...consumers.map(({ source }) => source)].flatMap(
    (read) => (read?.service === callee ? [read.path] : []),
  );
}
