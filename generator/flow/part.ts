import type { CascadeAction } from "@meshwright/runtime/vocabulary";

/** A part of the mesh, by the names that mesh.yaml gives it: what somebody asks about, and what follows from it. */
export type Part =
  | { readonly kind: "service"; readonly service: string }
  /** `auth.user` */
  | { readonly kind: "entity"; readonly entity: string }
  /** `UserUpdated`, at `auth.user.updated`. */
  | { readonly kind: "event"; readonly event: string; readonly subject: string }
  | FieldPart
  /** One field of every event of an entity that has it: `auth.user.display_name`. */
  | { readonly kind: "entity field"; readonly entity: string; readonly field: string }
  | { readonly kind: "database"; readonly database: string }
  | TablePart
  | { readonly kind: "view"; readonly database: string; readonly view: string }
  | ColumnPart
  /** A condition over several columns. */
  | { readonly kind: "check"; readonly database: string; readonly table: string; readonly check: string }
  | { readonly kind: "unique"; readonly database: string; readonly table: string; readonly columns: string }
  | { readonly kind: "index"; readonly database: string; readonly table: string; readonly columns: string }
  | { readonly kind: "resource"; readonly service: string; readonly path: string }
  /** A durable: one service that hears one entity. */
  | {
      readonly kind: "consumer";
      readonly service: string;
      readonly durable: string;
      readonly entity: string;
      readonly name: string | undefined;
    }
  | {
      readonly kind: "rule";
      readonly service: string;
      readonly database: string;
      /** `auth.user.deleted` */
      readonly on: string;
      readonly action: CascadeAction;
      readonly table: string;
      readonly column: string;
    }
  | HookPart
  /** Dead letters of a service: a table of its database, or a stream. */
  | { readonly kind: "dead letters"; readonly service: string; readonly store: string }
  /** A folder of SQL of the mesh's own. */
  | { readonly kind: "own SQL"; readonly database: string; readonly folder: string };

export interface FieldPart {
  readonly kind: "field";
  /** `UserUpdated` */
  readonly event: string;
  readonly subject: string;
  /** `display_name`; within an object `buyer.name`. */
  readonly field: string;
}

export interface TablePart {
  readonly kind: "table";
  readonly database: string;
  readonly table: string;
}

export interface ColumnPart {
  readonly kind: "column";
  readonly database: string;
  readonly table: string;
  readonly column: string;
}

export interface HookPart {
  readonly kind: "hook";
  readonly service: string;
  /** Of a named consumer, whose hooks stand under its name. */
  readonly consumer: string | undefined;
  /** `onUserDeleted`, `deleteContainerNamespace` */
  readonly hook: string;
  /** Where it is written, as far as that is known. */
  readonly at: CodePlace | undefined;
}

/** A line of the project's own code, from 1. */
export interface CodePlace {
  readonly file: string;
  readonly line: number;
}

/** As one would ask for it; no two parts of one kind have the same. */
export function nameOf(part: Part): string {
  switch (part.kind) {
    case "service":
      return part.service;
    case "entity":
      return part.entity;
    case "event":
      return part.subject;
    case "field":
      return `${part.subject}.${part.field}`;
    case "entity field":
      return `${part.entity}.${part.field}`;
    case "database":
      return part.database;
    case "table":
      return `${part.database}.${part.table}`;
    case "view":
      return `${part.database}.${part.view}`;
    case "column":
      return `${part.database}.${part.table}.${part.column}`;
    case "check":
      return `${part.database}.${part.table}.${part.check}`;
    case "unique":
    case "index":
      return `${part.database}.${part.table} (${part.columns})`;
    case "resource":
      return `${part.service} ${part.path}`;
    case "consumer":
      return part.durable;
    case "rule":
      return `${part.service} ${part.on} ${part.action} ${part.table}.${part.column}`;
    case "hook":
      return [part.service, ...(part.consumer === undefined ? [] : [part.consumer]), part.hook].join(".");
    case "dead letters":
      return `${part.service} ${part.store}`;
    case "own SQL":
      return part.folder;
    default:
      return part satisfies never;
  }
}

/** Tells parts apart, whatever their kinds. */
export function keyOf(part: Part): string {
  return `${part.kind} ${nameOf(part)}`;
}
