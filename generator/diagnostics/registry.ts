import { cascadeCodes } from "./codes/cascade-codes.js";
import { copyCodes } from "./codes/copy-codes.js";
import { databaseCodes } from "./codes/database-codes.js";
import { eventCodes } from "./codes/event-codes.js";
import { languageCodes } from "./codes/language-codes.js";
import { serviceCodes } from "./codes/service-codes.js";
import { syntaxCodes } from "./codes/syntax-codes.js";
import type { Definition } from "./definition.js";

/** Every mistake that the compiler can name. Each has a scenario in test/scenarios/diagnostics. */
const definitions = {
  ...syntaxCodes,
  ...languageCodes,
  ...serviceCodes,
  ...databaseCodes,
  ...copyCodes,
  ...eventCodes,
  ...cascadeCodes,
};

type Definitions = typeof definitions;

export type DiagnosticCode = keyof Definitions;

export type DiagnosticParameters<C extends DiagnosticCode> =
  Definitions[C] extends Definition<infer P> ? P : never;

export const diagnosticCodes: readonly DiagnosticCode[] = Object.keys(definitions) as DiagnosticCode[];

export function definitionOf<C extends DiagnosticCode>(code: C): Definition<DiagnosticParameters<C>> {
  // The compiler does not relate `Definitions[C]` to its own infer clause while C is open.
  return definitions[code] as unknown as Definition<DiagnosticParameters<C>>;
}
