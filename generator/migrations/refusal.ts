/** A step that may lose data, or fail on the data that is there. */
export interface MigrationRefusal {
  readonly code:
    | "drop-table"
    | "drop-column"
    | "narrow-type"
    | "require-column"
    | "restrict-rows"
    | "change-key"
    | "move-table"
    | "move-mesh"
    | "swap-names"
    | "unknown-former-name"
    | "shared-former-name"
    | "lost-model"
    | "migration-changed"
    | "migration-missing"
    | "migration-unplaced"
    | "migration-by-hand";
  readonly service: string;
  /**
   * The keys that lead to it in mesh.yaml; of what no longer stands there, those of what it stood in. undefined: it is
   * about the migration files.
   */
  readonly path?: readonly string[];
  readonly message: string;
  /** How to get there in safe steps. */
  readonly hint: string;
  /** `--allow-destructive` does not help: there is no such step. */
  readonly impossible?: true;
}

/** Collects refusals while the schemas are compared. */
export type Refuse = (
  refusal: Omit<MigrationRefusal, "service" | "path"> & { readonly at: PlaceInDatabase },
) => void;

/** By the new names. Empty: the database itself. */
export interface PlaceInDatabase {
  readonly table?: string;
  /** In place of a table. */
  readonly view?: string;
  readonly column?: string;
  /** What its `renamed_from` says, and not the thing itself. */
  readonly formerName?: true;
}

export function pathTo(
  database: string,
  { table, view, column, formerName }: PlaceInDatabase,
): readonly string[] {
  return [
    "databases",
    database,
    ...(table === undefined ? [] : ["tables", table]),
    ...(view === undefined ? [] : ["views", view]),
    ...(column === undefined ? [] : ["columns", column]),
    ...(formerName === undefined ? [] : ["renamed_from"]),
  ];
}

export const ALLOW = "--allow-destructive";
