import type { CascadeNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { DatabaseSymbol, EventSymbol, ServiceSymbol, TableSymbol } from "../../language/symbols.js";
import type { Span } from "../../source/text.js";
import { isMisread, isMisreadItself } from "./misread.js";

export type Section = "services" | "databases" | "subjects" | "types" | "cascades";

/** What a part is. */
export type About =
  | { readonly kind: "file" }
  | { readonly kind: "section"; readonly name: Section }
  | { readonly kind: "service"; readonly service: ServiceSymbol }
  | { readonly kind: "database"; readonly database: DatabaseSymbol }
  /** `column`: one of it alone. */
  | { readonly kind: "table" | "column"; readonly table: TableSymbol; readonly database: DatabaseSymbol }
  /** `field`: one of it alone. */
  | { readonly kind: "event" | "field"; readonly event: EventSymbol }
  | { readonly kind: "cascade"; readonly cascade: CascadeNode }
  | { readonly kind: "view" | "type" };

/** A part of mesh.yaml that rules report on: the file, a section, or what has a name of its own within one. */
export interface Part {
  readonly about: About;
  readonly name: Span | undefined;
  /** Where its name and its content stand. */
  readonly ranges: readonly Span[];
  readonly around: Part | undefined;
  readonly within: Part[];
  /** Something of it was misread that is in no part within it. */
  readonly isMisread: boolean;
}

export interface Parts {
  /** Each behind the one around it. */
  readonly all: readonly Part[];
  /** By symbol or section. */
  of(key: object | Section | undefined): Part | undefined;
}

interface Written {
  readonly name?: { readonly span: Span };
  readonly node: object | undefined;
}

type Open = (key: object | Section, written: Written, about: About, around?: Part) => Part;

export function partsOf(program: Program): Parts {
  const parts = new Map<object | Section, Part>();
  const open: Open = (key, { name, node }, about, around) => {
    const ranges = [name?.span, ...rangesOf(node)].filter((range) => range !== undefined);
    const part: Part = {
      about,
      name: name?.span,
      ranges,
      around,
      within: [],
      isMisread: isMisreadPart(about, node),
    };
    around?.within.push(part);
    parts.set(key, part);
    return part;
  };
  const file = open(program.node, { node: program.node }, { kind: "file" });
  openSections(program, (key, written, about, around = file) => open(key, written, about, around));
  return { all: [...parts.values()], of: (key) => (key === undefined ? undefined : parts.get(key)) };
}

function isMisreadPart({ kind }: About, node: object | undefined): boolean {
  // A file needs not have each section.
  return kind === "section" ? node !== undefined && isMisreadItself(node) : isMisread(node);
}

function rangesOf(node: object | undefined): readonly Span[] {
  const { span, definition } = (node ?? {}) as { readonly span?: Span; readonly definition?: Span };
  return [span, definition].filter((range) => range !== undefined);
}

function openSections(program: Program, open: Open): void {
  const { get } = program.node;
  const section = (name: Section) => open(name, { node: get[name] }, { kind: "section", name });
  const services = section("services");
  for (const service of program.services.values())
    open(service, written(service), { kind: "service", service }, services);
  const databases = section("databases");
  for (const database of program.databases.values()) openDatabase(database, open, databases);
  const types = section("types");
  for (const entry of get.types?.entries ?? []) open(entry, entry, { kind: "type" }, types);
  const subjects = section("subjects");
  for (const event of program.events) {
    const part = open(event, { name: event.subject, node: event.node }, { kind: "event", event }, subjects);
    for (const entry of event.node?.get.payload?.entries ?? [])
      open(entry, entry, { kind: "field", event }, part);
  }
  const cascades = section("cascades");
  for (const cascade of program.cascades)
    open(cascade, { node: cascade }, { kind: "cascade", cascade }, cascades);
}

function openDatabase(database: DatabaseSymbol, open: Open, databases: Part): void {
  const around = open(database, written(database), { kind: "database", database }, databases);
  for (const table of database.tables.values()) {
    const part = open(table, written(table), { kind: "table", table, database }, around);
    for (const entry of table.node?.get.columns?.entries ?? [])
      open(entry, entry, { kind: "column", table, database }, part);
  }
  for (const view of database.views.values()) {
    const part = open(view, written(view), { kind: "view" }, around);
    for (const entry of view.node?.get.columns?.entries ?? []) open(entry, entry, { kind: "view" }, part);
  }
}

function written({ span, node }: { readonly span: Span; readonly node: object | undefined }): Written {
  return { name: { span }, node };
}
