import { decodeToken, matcher } from "../subject.js";

/** A subject of an external service: literal tokens, `*`, `{id}` for the entity's id, and perhaps a final `>`. */
export interface SubjectTemplate {
  readonly matches: (subject: string) => boolean;
  /** The entity's id, decoded; undefined where the template has none. */
  readonly idOf: (subject: string) => string | undefined;
}

export function readTemplate(template: string): SubjectTemplate {
  const index = template.split(".").indexOf("{id}");
  return {
    matches: matcher([template.replace("{id}", "*")]),
    idOf: (subject) => (index < 0 ? undefined : decodeToken(subject.split(".")[index] ?? "")),
  };
}
