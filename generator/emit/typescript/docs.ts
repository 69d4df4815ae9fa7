/** Columns of a doc comment's text: with its frame and an interface's indentation it stays within the line. */
const TEXT_WIDTH = 100;

/** The text of a doc comment, as ts-morph takes it: nothing in it can end the comment early, or is an order to the compiler. */
export function docs(...paragraphs: readonly string[]): string[] {
  const text = paragraphs
    .filter((paragraph) => paragraph.trim() !== "")
    .flatMap((paragraph) =>
      paragraph
        .trim()
        .replaceAll("*/", "*\\/")
        .replaceAll("@ts-", "@\\ts-")
        .split(/\r\n|[\r\n\u2028\u2029]/),
    )
    .flatMap(wrap)
    .join("\n");
  return text === "" ? [] : [text.includes("\n") ? `\n${text}` : text];
}

/** The same printed, for a statement that is text already. */
export function docComment(texts: readonly string[]): string {
  return texts
    .map((text) => (text.includes("\n") ? `/**${text.replaceAll("\n", "\n * ")}\n */\n` : `/** ${text} */\n`))
    .join("");
}

/** The line broken between words; a word that is wider than a line stays whole. */
function wrap(line: string): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= TEXT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
