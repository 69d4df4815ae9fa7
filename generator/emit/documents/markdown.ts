import { visible } from "../../quote/visible.js";

/** Prose of mesh.yaml as a paragraph or a cell that says it and is nothing else: no heading, list, table, link, image or HTML. */
export function prose(text: string): string {
  return visible(folded(text))
    .replaceAll(/[\\`*[\]|~$]|(?<!\w)_|_(?!\w)|&(?=[#\w])/g, "\\$&")
    .replaceAll("<", "&lt;")
    .replace(/^(?:[#>+=-]|\d+(?=[.)]))/, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`));
}

/** In code type, also within a cell. What would end it stands as HTML does, by numbers. */
export function inCode(text: string): string {
  const shown = visible(text).replaceAll("\n", "\\n");
  if (/^[^\s`|\\](?:[^`|\\]*[^\s`|\\])?$/.test(shown)) return `\`${shown}\``;
  return `<code>${shown.replaceAll(/[^\w ]/g, (character) => `&#${character.codePointAt(0)};`)}</code>`;
}

/** Items in code type; a dash for none. */
export function codeList(items: readonly string[]): string {
  return items.length === 0 ? "-" : items.map(inCode).join(", ");
}

/** On one line. */
export function folded(text: string): string {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}
