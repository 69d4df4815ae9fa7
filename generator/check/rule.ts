import type { Report } from "../diagnostics/report.js";
import type { Program } from "../language/program.js";
import type { HookFile } from "./hook-files.js";

/** Checks one requirement on the file. What follows from a part that was misread, or that names nothing, is held back: see `doubts/`. */
export type Rule = (program: Program, report: Report) => void;

/** Asks of the file beside the hooks of its services, all of them. */
export type HookRule = (program: Program, report: Report, hooks: readonly HookFile[]) => void;
