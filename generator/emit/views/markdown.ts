/** A table's cell: what would end the cell or the row is defused. */
export function cell(text: string): string {
  return text
    .replaceAll(/[\\|]/g, "\\$&")
    .replaceAll("<", "&lt;")
    .replaceAll(/\s*[\r\n]\s*/g, " ")
    .trim();
}

export function inCode(text: string): string {
  return `\`${text}\``;
}

/** Items in code type; a dash for none. */
export function codeList(items: readonly string[]): string {
  return items.length === 0 ? "-" : items.map(inCode).join(", ");
}
