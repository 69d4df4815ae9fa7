import { CommanderError } from "commander";
import { UsageError } from "../project/usage-error.js";
import { shorten } from "../quote/visible.js";
import { colour, tell } from "../terminal/terminal.js";
import type { ExitCode } from "./exit-code.js";
import { reachHint, reachMessage } from "./reach-hint.js";

/** A server's message may quote a whole statement or row. */
const LONGEST = 4_000;

/** The exit code of a failure; says on stderr what failed and, where we know, what to do. */
export function report(error: unknown): ExitCode {
  // Commander has printed the usage error, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError) {
    tell(`${colour.red("mesh:")} ${shorten(error.message, LONGEST)}`);
    if (error.hint) tell(`${colour.dim("hint:")} ${error.hint}`);
    return 2;
  }
  tell(`${colour.red("mesh:")} ${shorten(error instanceof Error ? explain(error) : String(error), LONGEST)}`);
  const hint = reachHint(error);
  if (hint !== undefined) tell(`${colour.dim("hint:")} ${hint}`);
  return 2;
}

/** The message and its causes; the stack of an internal mistake as well. */
function explain(error: Error): string {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    lines.push(lines.length ? `caused by: ${reachMessage(at)}` : reachMessage(at));
  }
  if (error instanceof TypeError || error instanceof ReferenceError) lines.push(error.stack ?? "");
  return lines.join("\n  ");
}
