/** Characters that a terminal obeys or a reader does not see: control and format characters, except line feed, tab and joiners. */
const UNSEEN = /[^\P{Cc}\n\t]|[^\P{Cf}\u200c\u200d]|[\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Foreign text for a log or a terminal: invisible characters as JSON escapes them. The generator has the same in
 * `generator/quote/visible.ts`, for neither package imports the other.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) =>
    unseen
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
