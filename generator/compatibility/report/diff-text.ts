import { groupBy } from "../../collections/group-by.js";
import { plural } from "../../diagnostics/plural.js";
import { messageOf } from "../change.js";
import { type ChangeClass, changeClasses } from "../change-class.js";
import { concernsText, countText, deploymentText, lockText, rolloutLines, sqlLines } from "./change-words.js";
import { type DiffReport, type PlacedChange, placeText } from "./placed-changes.js";

/** Colour is the caller's choice. */
export interface DiffPaint {
  readonly place: (text: string) => string;
  readonly class: (text: string, of: ChangeClass) => string;
  readonly label: (text: string) => string;
}

const plain = (text: string): string => text;
export const noDiffPaint: DiffPaint = { place: plain, class: plain, label: plain };

/** For people: by class, worst first. What is compatible takes one line each. */
export function renderDiff({ against, changes, statements }: DiffReport, paint: DiffPaint): string {
  if (changes.length === 0) {
    const runs =
      statements.length === 0
        ? ""
        : `; what follows runs all the same\n${renderRest(statements, true, paint)}`;
    return `no change against ${against}${runs}`;
  }
  const groups = [...groupBy(changes, (change) => change.class)].map(([name, those]) =>
    [
      `${paint.class(name, name)} ${paint.label(changeClasses[name])}`,
      ...those.map((change) => renderChange(change, paint)),
    ].join("\n"),
  );
  const head = `${plural(changes.length, "change")} against ${against}: ${countText(changes)}`;
  const isAll = changes.every((change) => change.statements.length === 0);
  const rest = statements.length === 0 ? [] : [renderRest(statements, isAll, paint)];
  return [head, ...groups, ...rest, ...renderRollout(changes, paint)].join("\n\n");
}

function renderChange(change: PlacedChange, paint: DiffPaint): string {
  const { place, formerPlace, concerns, statements, deployment, part, safe, kind } = change;
  const head = `  ${paint.place(placeText(formerPlace ?? place))} ${messageOf(change)} ${paint.label(kind)}`;
  // The key is looked at again once its table was open meanwhile.
  const once = statements.filter(({ sql }, at) => statements.findIndex((other) => other.sql === sql) === at);
  const rows = once.flatMap((statement) => {
    const [line, ...lines] = sqlLines(statement);
    return [`${change.rows?.database}: ${line}`, ...lines, paint.label(`  ${lockText(statement.lock)}`)];
  });
  if (change.class === "compatible") return [head, ...labelled("sql", rows, paint)].join("\n");
  return [
    head,
    ...labelled("for", concerns.length === 0 ? [] : [concernsText(concerns)], paint),
    ...labelled("sql", rows, paint),
    ...labelled(
      "deploy",
      part.order === "any" ? [] : [deploymentText(change), ...deployment.steps.map((step) => `  ${step}`)],
      paint,
    ),
    ...labelled("instead", safe === undefined ? [] : [safe], paint),
  ].join("\n");
}

function labelled(label: string, lines: readonly string[], paint: DiffPaint): readonly string[] {
  return lines.map((line, index) => `    ${paint.label((index === 0 ? label : "").padEnd(7))} ${line}`);
}

/** `isAll`: none stands with a change. */
function renderRest(statements: DiffReport["statements"], isAll: boolean, paint: DiffPaint): string {
  const lines = statements.flatMap(({ database, statements: those }) =>
    those.map((statement) => {
      const text = sqlLines(statement).join("\n  ");
      return `  ${database}: ${text} ${paint.label(lockText(statement.lock))}`;
    }),
  );
  const head = isAll
    ? "what runs in the databases, in this order"
    : "what else runs in the databases, in this order: before the statements above, between them and after them";
  return [paint.label(head), ...lines].join("\n");
}

function renderRollout(changes: readonly PlacedChange[], paint: DiffPaint): readonly string[] {
  const lines = rolloutLines(changes);
  if (lines.length === 0) return [];
  return [[paint.label(`all of it deployed together`), ...lines.map((line) => `  ${line}`)].join("\n")];
}

/** For `mesh generate`: what whoever edits should know at once, a line each. None where nothing asks for care. */
export function renderShort(changes: readonly PlacedChange[], paint: DiffPaint): readonly string[] {
  const notable = changes.filter((change) => change.class !== "compatible");
  const lines = notable.slice(0, MOST_LINES).map((change) => {
    const services = [...new Set(change.concerns.map(({ service }) => service))];
    const order = change.deployment.first === "anybody" ? "" : `: ${deploymentText(change)}`;
    const whom = services.length === 0 ? order : ` (${services.join(", ")}${order})`;
    return `  ${paint.class(change.class, change.class)} ${paint.place(placeText(change.place))} ${messageOf(change)}${whom}`;
  });
  const more = notable.length > lines.length ? [`  and ${notable.length - lines.length} more`] : [];
  return lines.length === 0
    ? []
    : [...lines, ...more, paint.label("  mesh diff says what runs, what it locks and what to do instead")];
}

const MOST_LINES = 4;
