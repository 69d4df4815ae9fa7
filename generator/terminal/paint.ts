import { randomBytes } from "node:crypto";
import { visible } from "../quote/visible.js";

/*
 * Colours for texts that contain what others wrote. Until output a colour is a random mark, so that an escape code in
 * the text is known to come from somebody else: it is shown, not sent to the terminal.
 */

const MARK = `\ue000${randomBytes(8).toString("hex")};`;
const MARKS = new RegExp(`${MARK}(\\d+)m`, "g");

type Paint = (text: string) => string;

function painter(open: number, close: number): Paint {
  return (text) => `${MARK}${open}m${text}${MARK}${close}m`;
}

const painters = {
  bold: painter(1, 22),
  dim: painter(2, 22),
  red: painter(31, 39),
  green: painter(32, 39),
  yellow: painter(33, 39),
  blue: painter(34, 39),
  magenta: painter(35, 39),
  cyan: painter(36, 39),
} satisfies Readonly<Record<string, Paint>>;

export const colour: Readonly<Record<keyof typeof painters, Paint>> = painters;

/** What may be sent to a terminal: our colours where they are wanted, and of all other controls line feeds and tabs. */
export function terminalText(text: string, colours: boolean): string {
  return visible(text).replaceAll(MARKS, colours ? "\x1b[$1m" : "");
}

/** Columns that the text will take, as far as each character takes one. */
export function widthOf(text: string): number {
  return terminalText(text, false).length;
}
