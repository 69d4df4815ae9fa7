/** A step that may lose data, or fail on the data that is there. */
export interface MigrationRefusal {
  readonly code:
    | "drop-table"
    | "drop-column"
    | "narrow-type"
    | "require-column"
    | "restrict-rows"
    | "change-key"
    | "swap-names"
    | "lost-model";
  readonly service: string;
  readonly message: string;
  /** How to get there in safe steps. */
  readonly hint: string;
  /** `--allow-destructive` does not help: there is no such step. */
  readonly impossible?: true;
}

/** Collects refusals while the schemas are compared. */
export type Refuse = (refusal: Omit<MigrationRefusal, "service">) => void;

export const ALLOW = "--allow-destructive";
