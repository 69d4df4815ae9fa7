import type { CodePlace } from "./part.js";

/** What the hooks of a project read of what they are given, as far as their types tell. */
export interface HookReads {
  /** Undefined where the service's hooks do not define it. */
  find(hook: {
    readonly service: string;
    readonly consumer: string | undefined;
    readonly name: string;
  }): HookRead | undefined;
  /** Why less is known than could be: a file that does not compile, or was not found. */
  readonly remarks: readonly HookRemark[];
}

export interface HookRead {
  readonly at: CodePlace;
  /** Fields of the event, or columns of the row, in their order in the code; within objects as `buyer.name`. `all`: it is handed on whole. */
  readonly reads: readonly string[] | "all";
  /** Names of the events that it publishes by hand. */
  readonly tells: readonly string[];
  /** SQL of its own: read where somebody asks, since the parser takes its time to load. */
  readonly runs: () => HookStatements;
}

export interface HookStatements {
  readonly tables: readonly UsedTable[];
  /** No other SQL of it is known of. */
  readonly isWhole: boolean;
}

/** A table that a statement reads, or writes rows of. */
export interface UsedTable {
  readonly schema?: string | undefined;
  readonly name: string;
  readonly how: "read" | "insert" | "update" | "delete";
  /** Of an update those that it sets. */
  readonly columns: readonly string[];
  /** Every column that the statement names, of whichever table; `*`: all. */
  readonly names: readonly string[];
}

export interface HookRemark {
  readonly service: string;
  readonly file: string;
  /** undefined: the file as a whole. */
  readonly line: number | undefined;
  readonly reason: string;
}

/** Whether a hook that reads these is concerned by the field: itself, an object around it, or a member of it. */
export function readsField({ reads }: Pick<HookRead, "reads">, field: string): boolean {
  return (
    reads === "all" ||
    reads.some((read) => read === field || read.startsWith(`${field}.`) || field.startsWith(`${read}.`))
  );
}
