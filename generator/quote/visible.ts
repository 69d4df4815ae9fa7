/*
 * Text of mesh.yaml, of messages and of servers, as a reader may be shown it: a terminal would obey its escape
 * codes, and marks that turn the direction of writing make it read otherwise than it is.
 */

/** Controls and format characters, line and paragraph separators. Joiners stay: scripts and emoji need them. */
const UNSEEN = /[^\P{Cc}\n\t]|[^\P{Cf}\u200c\u200d]|[\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Line feeds and tabs stay; the rest stands as JSON writes it, so within JSON and TypeScript a text keeps its meaning. The runtime
 * has the same in `runtime/text/visible.ts`, for neither package imports the other.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) => (unseen === "\r" ? "\\r" : inUnits(unseen)));
}

/** The same on one line, where a line break would pass for the end of what is said. */
export function oneLine(text: string): string {
  return visible(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** At most that many characters, and how many there were; the default fits a sentence. */
export function shorten(text: string, most = 200): string {
  if (text.length <= most) return text;
  const kept = text.slice(0, most).replace(/\p{Surrogate}$/u, "");
  return `${kept}… (${grouped(text.length)} characters)`;
}

/** `1,000`. By hand: loading the locale data would take 24 ms, a thirtieth of a whole cold run. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function inUnits(text: string): string {
  return text
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
