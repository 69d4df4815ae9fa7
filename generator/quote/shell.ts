import { visible } from "./visible.js";

/**
 * One word to every shell, and to the readers of .env files: in single quotes, unless it is of characters that mean
 * nothing to any of them. A word of their own is `;`, and `~` and a leading `=` are replaced by paths.
 */
export function shellWord(value: string): string {
  return /^(?!=)[\w.,:/@%+=-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/** An example in .env.example: what only a terminal would obey is shown in it, and not sent there. */
export function shellExample(value: string): string {
  return shellWord(value.replaceAll(/[^\r\u2028\u2029]+/g, visible));
}

/** Commented out as a whole: a shell ends comments at line feeds, other readers at a carriage return too. */
export function shellComment(text: string): string {
  return text
    .split(/\r\n|[\r\n]/)
    .map((line) => `# ${visible(line)}`)
    .join("\n");
}
