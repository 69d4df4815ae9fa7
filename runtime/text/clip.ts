/** Default length of foreign text in answers and log lines, which must not grow with a request. */
const SHOWN = 300;

/** The text, or the first `most` characters of a longer one, and its length. */
export function clip(text: string, most = SHOWN): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}
