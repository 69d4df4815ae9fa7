import type { Step } from "./steps.js";

/** What a migration is about: the end of its file name, and its first comment. */
export interface Title {
  /** `add_users_nickname` */
  readonly slug: string;
  /** `add users.nickname, drop sessions.agent` */
  readonly text: string;
}

const MAX_SLUG = 48;

/** Of many changes the name tells the tables, and of very many their number. */
export function titleOf(steps: readonly Step[]): Title {
  const parts = steps.flatMap((step) => describe(step) ?? []);
  const leading = parts.filter((part) => part.follows !== true);
  const spoken = leading.length > 0 ? leading : parts;
  const texts = [...new Set(spoken.map((part) => part.text))];
  const tables = [...new Set(spoken.map((part) => part.table))];
  const own = texts.map(slugOf).join("_and_");
  const byTable = slugOf(`change ${tables.join(" and ")}`);
  const slug = [own, byTable, `change_${tables.length}_tables`].find((text) => text.length <= MAX_SLUG);
  return { slug: slug ?? "change", text: texts.length > 0 ? texts.join(", ") : "events" };
}

interface Part {
  readonly table: string;
  readonly text: string;
  /** Told only where there is nothing else to tell: a renaming makes the events anew, too. */
  readonly follows?: true;
}

/** undefined for what only follows from another step. */
function describe(step: Step): Part | undefined {
  const on = (table: string, text: string): Part => ({ table, text });
  const following = (table: string, text: string): Part => ({ table, text, follows: true });
  switch (step.kind) {
    case "create_table":
      return on(step.table.name, `create ${step.table.name}`);
    case "drop_table":
      return on(step.table, `drop ${step.table}`);
    case "rename_table":
      return on(step.to, `rename ${step.from} to ${step.to}`);
    case "rename_column":
      return on(step.table, `rename ${step.table}.${step.from} to ${step.to}`);
    case "drop_column":
      return on(step.table, `drop ${step.table}.${step.column}`);
    case "add_column":
      return on(step.table, `add ${step.table}.${step.column.name}`);
    case "change_type":
    case "set_default":
    case "add_identity":
    case "drop_identity":
    case "drop_default":
    case "drop_not_null":
    case "set_not_null":
      return on(step.table, `alter ${step.table}.${step.column}`);
    case "add_key":
    case "add_unique":
    case "add_check":
    case "add_foreign_key":
      return on(step.table, `constrain ${step.table}.${step.constraint.columns.join(" ")}`);
    case "create_index":
      return on(step.table, `index ${step.table}.${step.index.columns.join(" ")}`);
    case "create_function":
      return following(step.definition.table, `events of ${step.definition.table}`);
    case "create_trigger":
      return following(step.trigger.table, `events of ${step.trigger.table}`);
    case "drop_trigger":
      return following(step.table, `events of ${step.table}`);
    case "drop_foreign_key":
    case "drop_constraint":
      return following(step.table, `free ${step.table}`);
    case "note_place":
      return on(step.table.name, `${step.table.existing ? "adopt" : "place"} ${step.table.name}`);
    case "forget_place":
      return on(step.table.name, `release ${step.table.name}`);
    case "create_schema":
    case "await_cascades":
    case "revive_rows":
    case "adopt_rows":
    case "schedule_rows":
    case "set_moments_aside":
    case "restore_moments":
    case "forget_moments":
    case "reroute_moments":
    case "drop_index":
    case "drop_function":
    case "rename_constraint":
    case "rename_index":
    case "validate_check":
    case "fill_nulls":
      return undefined;
    default:
      return step satisfies never;
  }
}

function slugOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
}
