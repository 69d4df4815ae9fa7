import type { Event } from "../model/mesh.js";
import { serviceTitle } from "../model/service-title.js";

/** How a document writes prose of mesh.yaml, and a word of it in code type. */
export interface Writing {
  readonly prose: (text: string) => string;
  readonly code: (word: string) => string;
}

const DOC_COMMENT: Writing = { prose: String, code: quoted };

/** The description of mesh.yaml, else what makes the event happen. */
export function eventSentence(event: Event, { prose, code }: Writing = DOC_COMMENT): string {
  if (event.description !== undefined) return prose(sentence(event.description));
  if (event.emit === undefined) return `${serviceTitle(event.entity)} ${event.action}.`;
  const { table, on, of, when } = event.emit;
  const verbs = { insert: "inserted", update: "updated", delete: "deleted" } as const;
  const done = on.map((operation) => verbs[operation]).join(" or ");
  const verb = of.length === 0 ? "became" : "is";
  const held = when.map(({ column, values, isNull }) => {
    const said =
      isNull === undefined ? values.map((value) => code(String(value))).join(" or ") : code("null");
    return `${code(column)} ${verb} ${isNull === false ? "other than " : ""}${said}`;
  });
  const changed = of.length === 0 ? [] : [`${of.map(code).join(" or ")} changed`];
  const all = [...changed, ...held].join(" and ");
  return all === "" ? `A row of ${code(table)} was ${done}.` : `A row of ${code(table)} was ${done}: ${all}.`;
}

/** `services` as a reader lists them; a dash for none. */
export function listOf(items: readonly string[]): string {
  return items.length === 0 ? "-" : items.join(", ");
}

/** A word in code type, as Markdown and doc comments have it. */
export function quoted(word: string): string {
  return `\`${word}\``;
}

/** With a stop at its end. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
