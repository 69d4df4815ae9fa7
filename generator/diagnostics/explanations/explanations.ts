import type { DiagnosticCode } from "../registry.js";
import { cascadeExplanations } from "./cascade-explanations.js";
import { copyExplanations } from "./copy-explanations.js";
import { databaseExplanations } from "./database-explanations.js";
import { eventExplanations } from "./event-explanations.js";
import type { Explanation } from "./explanation.js";
import { languageExplanations } from "./language-explanations.js";
import { serviceExplanations } from "./service-explanations.js";
import { syntaxExplanations } from "./syntax-explanations.js";

/** Every code of the registry with what it means, by subject. */
export const explanationsBySubject: readonly {
  readonly subject: string;
  readonly codes: Readonly<Partial<Record<DiagnosticCode, Explanation>>>;
}[] = [
  { subject: "The text of the file", codes: syntaxExplanations },
  { subject: "The language", codes: languageExplanations },
  { subject: "Services", codes: serviceExplanations },
  { subject: "Databases and tables", codes: databaseExplanations },
  { subject: "Copies of other services", codes: copyExplanations },
  { subject: "Subjects and events", codes: eventExplanations },
  { subject: "Cascades", codes: cascadeExplanations },
];

const explanations: Readonly<Record<DiagnosticCode, Explanation>> = {
  ...syntaxExplanations,
  ...languageExplanations,
  ...serviceExplanations,
  ...databaseExplanations,
  ...copyExplanations,
  ...eventExplanations,
  ...cascadeExplanations,
};

export function explanationOf(code: DiagnosticCode): Explanation {
  return explanations[code];
}
