import type { Report } from "../diagnostics/report.js";
import type { Program } from "../language/program.js";

/** Looks at one kind of promise that the file must keep. Silent about what is poisoned. */
export type Rule = (program: Program, report: Report) => void;
