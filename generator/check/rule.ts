import type { Report } from "../diagnostics/report.js";
import type { Program } from "../language/program.js";

/** Checks one requirement on the file. Reports nothing about what is `poisoned`: part of that was misread, which is reported already. */
export type Rule = (program: Program, report: Report) => void;
