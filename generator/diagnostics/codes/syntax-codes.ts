import { error } from "../definition.js";

/** The text is no YAML, or no mapping. */
export const syntaxCodes = {
  "yaml-syntax": error((p: { reason: string }) => p.reason),
  "conflict-marker": error(
    () => "a merge has left its marker here, for a person to settle",
    () => "keep of the lines from <<<<<<< to >>>>>>> what is to hold, and delete the markers",
  ),
  "unstorable-text": error(
    (p: { what: string }) => `this text holds ${p.what}, which neither PostgreSQL nor JSON can carry`,
    () => "leave it out",
  ),
  "duplicate-key": error((p: { key: string }) => `"${p.key}" is written twice in this mapping`),
  "unknown-anchor": error(
    (p: { name: string; isAround: boolean }) =>
      p.isAround
        ? `"*${p.name}" stands within the value that it would repeat`
        : `"*${p.name}" refers to an anchor that does not stand above it`,
    (p) => (p.isAround ? "write out what is meant here" : `mark the value it repeats with &${p.name}`),
  ),
  "too-large": error(
    (p: { what: string; limit: string }) => `${p.what} more than ${p.limit}, the most that a mesh may have`,
  ),
  "too-deep": error(
    (p: { limit: number }) => `more than ${p.limit} mappings and lists stand within each other here`,
  ),
  "more-mistakes": error((p: { count: string }) => `${p.count} more are not listed: mend those above first`),
  "empty-file": error(
    () => "the file is empty",
    () => 'a mesh starts with "mesh: <name>" and lists its services; `mesh init` writes an example',
  ),
  "not-a-mesh": error(
    (p: { found: string }) => `a mesh is a mapping, this file holds ${p.found}`,
    () => 'start with "mesh: <name>", "services:", "databases:", "subjects:" and "cascades:"',
  ),
};
