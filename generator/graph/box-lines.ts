import { visible } from "../quote/visible.js";
import type { Box, Effect, Heard, Owned, Picture } from "./picture.js";

/*
 * The words of a picture, whatever draws it.
 */

/** A line of a box, as finished text without markup. */
export interface Line {
  readonly kind: "heard" | "copy" | "cascade" | "table" | "entity" | "note";
  readonly text: string;
}

/** Longer lists go on in a further line. */
const LIST_WIDTH = 44;

export function linesOf(box: Box, { brief }: Picture): readonly Line[] {
  return brief ? briefLines(box) : [...box.hears.flatMap(heardLines), ...box.owns.flatMap(ownedLines)];
}

/** Where no mark can stand before a line. */
export function plainLinesOf(box: Box, picture: Picture): readonly string[] {
  return linesOf(box, picture).map(({ kind, text }) => (kind === "heard" ? `hears ${text}` : text));
}

function briefLines(box: Box): readonly Line[] {
  const { hearsToo, heardWidelyBy } = box;
  return [
    ...listLines("entity", "", entitiesOf(box)),
    ...(heardWidelyBy === undefined
      ? []
      : [{ kind: "note" as const, text: `heard by ${heardWidelyBy} services` }]),
    ...(hearsToo.length === 0 ? [] : listLines("note", "hears ", hearsToo)),
  ];
}

function heardLines({ pattern, consumer, effects }: Heard): readonly Line[] {
  const name = consumer === undefined ? "" : ` for ${consumer}`;
  return [
    { kind: "heard", text: visible(`${pattern}${name}`) },
    ...effects.map((effect): Line => ({ kind: effect.kind, text: visible(effectText(effect)) })),
  ];
}

function effectText(effect: Effect): string {
  switch (effect.kind) {
    case "copy":
      return `copy in ${effect.table}`;
    case "cascade":
      return `on ${effect.event}, ${ruleText(effect)}`;
    default:
      return effect satisfies never;
  }
}

function ruleText({ action, table, column }: Extract<Effect, { kind: "cascade" }>): string {
  switch (action) {
    case "delete":
      return `delete ${table}`;
    case "set_null":
      return `clear ${table}.${column}`;
    default:
      return action satisfies never;
  }
}

function ownedLines({ table, entities }: Owned): readonly Line[] {
  return [
    ...(table === undefined ? [] : [{ kind: "table" as const, text: visible(table) }]),
    ...entities.flatMap(({ entity, actions }) => listLines("entity", `${entity}: `, actions)),
  ];
}

function listLines(kind: Line["kind"], start: string, items: readonly string[]): readonly Line[] {
  const lines: string[] = [];
  let line = start;
  items.forEach((item, at) => {
    const next = at === items.length - 1 ? item : `${item},`;
    if (line !== start && line.length + next.length > LIST_WIDTH) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += `${next} `;
  });
  return [...lines, line.trimEnd()]
    .filter((text) => text !== "")
    .map((text) => ({ kind, text: visible(text) }));
}

function entitiesOf({ owns }: Box): readonly string[] {
  return [...new Set(owns.flatMap(({ entities }) => entities.map(({ entity }) => entity)))];
}

/** For whom no picture is drawn: who publishes what, who hears it, and what comes of it. */
export function sentencesOf(picture: Picture): readonly string[] {
  return picture.boxes.map((box) => {
    const entities = entitiesOf(box);
    const publishes = entities.length === 0 ? "publishes nothing" : `publishes ${entities.join(", ")}`;
    const heard = box.hears.map(({ pattern, effects }) => [pattern, ...effects.map(effectText)].join(", "));
    return visible(`${box.title} ${publishes}${heard.length === 0 ? "" : `; hears ${heard.join("; ")}`}.`);
  });
}
