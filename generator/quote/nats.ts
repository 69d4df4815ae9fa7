import { oneLine } from "./visible.js";

/** As it stands between double quotes in nats.conf: nothing in it ends them, and only what is escaped here is taken for an escape. */
export function natsText(text: string): string {
  return text.replaceAll(/["\\]/g, "\\$&").replaceAll(/\p{Cc}/gu, hexadecimal);
}

/** A comment's text, to stand behind `# `. */
export function natsComment(text: string): string {
  return oneLine(text);
}

function hexadecimal(control: string): string {
  return [...Buffer.from(control)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
