/** Controls and format characters but line feeds, tabs and joiners: what a terminal obeys, or a reader does not see. */
const UNSEEN = /[^\P{Cc}\n\t]|[^\P{Cf}\u200c\u200d]|[\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text of messages and servers for a log or a terminal: those characters as JSON writes them. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) =>
    unseen
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
