import type { CacheOf } from "../model/mesh.js";
import type { Branch, Link, Tree } from "./branch.js";
import { conditionText } from "./condition-text.js";
import type { Flow } from "./flow.js";
import { nameOf, type Part } from "./part.js";

/** A link in words: what it leads to, and what happens there. */
export interface Description {
  readonly name: string;
  readonly says: string;
}

export function describe(flow: Flow, link: Link): Description {
  return { name: nameWithin(link), says: sayOf(flow, link) };
}

/** A check is told by what it asks, and a rule that finds rows by what sets it off. */
function nameWithin({ how, to }: Link): string {
  if (how === "checks") return "check";
  return how === "found by" && to.kind === "rule" ? to.on : titleOf(to);
}

/** What the tree is of, and what that is. */
export function describeRoot(flow: Flow, { of }: Pick<Tree, "of">): Description {
  return { name: titleOf(of), says: natureOf(flow, of) };
}

/** What is said where a branch ends though more is known. */
export function endingOf({ told }: Pick<Branch, "told">): string {
  switch (told) {
    case "above":
      return "(as above)";
    case "loop":
      return "(a loop: it is where this began)";
    case undefined:
      return "";
    default:
      return told satisfies never;
  }
}

function titleOf(part: Part): string {
  switch (part.kind) {
    case "consumer":
      return part.name === undefined ? part.service : `${part.service} (${part.name})`;
    case "rule":
      return part.action === "delete"
        ? `${part.database}.${part.table}`
        : `${part.database}.${part.table}.${part.column}`;
    case "dead letters":
      return "dead letter";
    case "unique":
    case "index":
      return `${part.kind} (${part.columns})`;
    case "own SQL":
      return `${part.folder}/`;
    case "service":
    case "database":
    case "entity":
    case "event":
    case "field":
    case "entity field":
    case "table":
    case "view":
    case "column":
    case "check":
    case "resource":
    case "hook":
      return nameOf(part);
    default:
      return part satisfies never;
  }
}

function sayOf(flow: Flow, { how, to, with: names }: Link): string {
  const list = names.join(", ");
  switch (how) {
    case "shows":
      return to.kind === "field" ? `${to.event} shows it` : "is what it shows";
    case "shows old":
      return to.kind === "field"
        ? `${to.event} shows what it held before`
        : "is what it shows, as it was before";
    case "shows referenced":
      return to.kind === "field" ? `${to.event} shows it by ${list}` : `is what it shows, by ${list}`;
    case "looks up":
      return to.kind === "field" ? `${to.event} shows ${list} by it` : "";
    case "names":
      return "it is the id of the entity";
    case "identifies":
      return "is known by it when it is sent twice";
    case "when":
      return `is told where ${list}`;
    case "unless":
      return `is not told where ${list}`;
    case "of":
      return "is told when an update changes it";
    case "at":
      return to.kind === "event"
        ? "is told when its moment comes"
        : `tells of it when ${names[0]} comes${names
            .slice(1)
            .map((held) => `, ${held}`)
            .join("")}`;
    case "soft delete":
      return "is told when it is set: that deletes the row";
    case "restored":
      return "is told when it is cleared: that creates the row anew";
    case "checks":
      return list;
    case "covers":
      return "covers it";
    case "references":
      return names.length === 0 ? "is what it references" : `references it, on_delete: ${list}`;
    case "refers to":
      return `${names[0]} references it, ${afterParent(names[1], names.slice(2))}`;
    case "serves":
      return `shows it${names.length > 1 ? ` as ${names[0]}` : ""}, ${names.at(-1)}`;
    case "takes":
      return "takes it, and shows it to nobody";
    case "offers":
      return `shows ${list}`;
    case "snapshot":
      if (to.kind === "resource" || to.kind === "service")
        return `fills it too, by ${names.length > 1 ? `${names[1]} in ` : ""}snapshots${to.kind === "service" ? ` of ${names[0]}` : ""}`;
      return to.kind === "consumer" ? `compares its rows with ${list}` : `is filled from ${list} too`;
    case "holds id":
      return "holds that id";
    case "found by":
      return to.kind === "rule" ? `${ruleWords(to)}, by a rule of ${to.service}` : "";
    case "may read":
      return "may read it; what it reads, only the database knows";
    case "fills":
      return to.kind === "field" ? "fills it" : `is filled by it, in ${keeperOf(flow, to)}`;
    case "fills and decides":
      return `is filled by it, in ${keeperOf(flow, to)}: it decides which rows are there`;
    case "carries":
      return to.kind === "field" ? to.event : "";
    case "reads":
      return `reads ${list === "" ? "nothing of it" : list}`;
    case "reads all":
      return "hands it on whole: it may read all";
    case "may use":
      return "may use it: what it reads is not known";
    case "hears":
      return `hears it (${nameOf(to)})${list === "" ? "" : `; ${list}`}`;
    case "ignores":
      return "hears the event, and does nothing with this field";
    case "is heard":
      return `it hears it (${names[0]})${names.length > 1 ? `; ${names.slice(1).join(", ")}` : ""}`;
    case "keeps":
      return to.kind === "service" ? "keeps its rows in it" : "is where it keeps its rows";
    case "holds":
      return natureWithin(flow, to);
    case "calls":
      return `calls ${list}`;
    case "is called":
      return `it calls ${list}`;
    case "publishes":
      return to.kind === "service" ? "publishes it by code of its own" : eventWords(flow, to);
    case "writes rows":
    case "used by SQL":
      return `${names.map((done) => WRITING[done] ?? done).join(", ")}, by its own SQL`;
    case "may write":
      return "may write more: its SQL is made at run time, or by a package, and is not followed";
    case "writes copy":
      return writesCopy(flow, to, list);
    case "removes copy":
      return to.kind === "event" ? "removes from it" : "its row of the copy goes";
    case "deletes rows":
      if (to.kind !== "rule") return "";
      return list === ""
        ? `deletes rows by ${to.column}`
        : `deletes rows by ${to.column}, softly: sets ${list}`;
    case "clears column":
      return "sets it to NULL";
    case "before":
      return `before each row goes${list === "" ? "" : `; reads ${list}`}`;
    case "goes with":
      return `rows go with it: ${names[0]} references ${names[1]}, on_delete: cascade`;
    case "cleared with":
      return "is set to NULL with it (on_delete: set_null)";
    case "refuses":
      return "refuses the deletion while rows refer to it (on_delete: restrict)";
    case "emits":
      return to.kind === "event" ? eventWords(flow, to) : `tells of it, on ${list}`;
    case "cancels":
      return `no longer comes: its moment (${list}) goes with the row`;
    case "dead letter":
      return to.kind === "dead letters"
        ? `after ${list} failed attempts, in ${to.store}: mesh dlq list ${to.service}`
        : "";
    default:
      return how satisfies never;
  }
}

/** ` where status is active`: which rows a copy has that has not all. */
function rowsOf({ where }: Pick<CacheOf, "where">): string {
  return where.length === 0 ? "" : ` where ${where.map(conditionText).join(" and ")}`;
}

/** A row leaves the copy with an event after which it is none of those that the copy has. */
function writesCopy(flow: Flow, part: Part, columns: string): string {
  if (part.kind !== "table") return "writes it";
  const { cache } = flow.table(part);
  const verb = cache === undefined || cache.where.length === 0 ? "writes" : "keeps";
  return `${verb} its copy${cache === undefined ? "" : rowsOf(cache)}${columns === "" ? "" : `: ${columns}`}`;
}

const WRITING: Readonly<Record<string, string>> = {
  read: "reads rows",
  insert: "inserts rows",
  update: "updates rows",
  delete: "deletes rows",
};

/** What becomes of the rows when those that they refer to go. */
function afterParent(action: string | undefined, events: readonly string[]): string {
  const told = events.length === 0 ? "" : `, as ${events.join(", ")} tells`;
  return action === "cascade" ? `on_delete: cascade: rows go with it${told}` : `on_delete: ${action}`;
}

/** Of a table in its database: whether it is a copy, and of what. */
function natureWithin(flow: Flow, part: Part): string {
  if (part.kind !== "table") return part.kind === "view" ? "a view" : "";
  const { cache } = flow.table(part);
  return cache === undefined ? "a table" : `a copy of ${cache.entity}${rowsOf(cache)}${filledFrom(cache)}`;
}

function filledFrom({ sync }: Pick<CacheOf, "sync">): string {
  return sync === undefined ? "" : `, filled from GET ${sync.path} of ${sync.service} too`;
}

function ruleWords({ action, column }: Extract<Part, { kind: "rule" }>): string {
  switch (action) {
    case "delete":
      return `deletes the rows that name it in ${column}`;
    case "set_null":
      return `sets ${column} to NULL`;
    default:
      return action satisfies never;
  }
}

function keeperOf(flow: Flow, part: Part): string {
  if (part.kind !== "column") return "";
  return flow
    .ownersOf(part.database)
    .map(({ name }) => name)
    .join(", ");
}

function eventWords(flow: Flow, part: Part): string {
  if (part.kind !== "event") return "";
  const { name, description } = flow.event(part.event);
  const heard = flow.hearersOf(part.event).length > 0 ? "" : "; nobody hears it";
  return `${name}${description === undefined ? "" : `: ${description}`}${heard}`;
}

function natureOf(flow: Flow, part: Part): string {
  switch (part.kind) {
    case "service": {
      const { external, database } = flow.service(part.service);
      if (external) return "an external service";
      return database === undefined ? "a service without a database" : `a service, on ${database}`;
    }
    case "database": {
      const owners = flow.ownersOf(part.database).map(({ name }) => name);
      return `the database of ${owners.join(", ")}`;
    }
    case "entity":
      return `an entity of ${part.entity.split(".")[0]}`;
    case "event":
      return eventWords(flow, part);
    case "field":
      return `a field of ${part.event}`;
    case "entity field":
      return `a field of ${part.entity}`;
    case "table": {
      const { cache } = flow.table(part);
      const owners = flow.ownersOf(part.database).map(({ name }) => name);
      return cache === undefined
        ? `a table of ${owners.join(", ")}`
        : `a copy of ${cache.entity} in ${owners.join(", ")}${rowsOf(cache)}`;
    }
    case "column": {
      const column = flow.table(part).columns.find(({ name }) => name === part.column);
      return `${column?.type}${column?.nullable ? ", may be NULL" : ""}`;
    }
    case "view":
      return "a view";
    case "resource":
      return `what ${part.service} serves`;
    case "check":
    case "unique":
    case "index":
    case "consumer":
    case "rule":
    case "hook":
    case "dead letters":
    case "own SQL":
      return "";
    default:
      return part satisfies never;
  }
}
