/** Characters of another's words that are told or logged: an answer does not grow with what was asked. */
const SHOWN = 300;

/** The beginning of a long text, and how long it is. */
export function clip(text: string, most = SHOWN): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}
