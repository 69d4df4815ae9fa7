import { error, warning } from "../definition.js";

export interface Word {
  readonly text: string;
  readonly expects: string;
}

/** The file uses words or values that the language of mesh.yaml does not have. */
export const languageCodes = {
  "unknown-key": error(
    (p: { key: string; owner: string; known: readonly string[] }) => `"${p.key}" is not a key of ${p.owner}`,
    (p) => `its keys are ${p.known.join(", ")}`,
  ),
  "missing-key": error(
    (p: { keys: readonly string[]; owner: string; example: string }) =>
      `${p.owner} lacks ${p.keys.map((key) => `"${key}"`).join(" and ")}`,
    (p) => `add ${p.example}`,
  ),
  "wrong-type": error(
    (p: { label: string; expected: string; found: string }) =>
      `${p.label} must be ${p.expected}, not ${p.found}`,
  ),
  "out-of-range": error(
    (p: { label: string; minimum: number; maximum: number }) =>
      `${p.label} must lie between ${p.minimum} and ${p.maximum}`,
  ),
  "duration-out-of-range": error(
    (p: { label: string; minimum: string; maximum: string }) =>
      `${p.label} must lie between ${p.minimum} and ${p.maximum}`,
  ),
  "unknown-type": error(
    (p: { text: string; noun: string; values: readonly string[] }) => `"${p.text}" is no ${p.noun}`,
    (p) =>
      `the types are ${p.values.join(", ")}${p.noun === "field type" ? '; those under "types" begin with a capital' : ""}`,
  ),
  "unknown-value": error(
    (p: { text: string; noun: string; values: readonly string[] }) => `"${p.text}" is no ${p.noun}`,
    (p) => `use ${p.values.join(", ")}`,
  ),
  "invalid-name": error((p: Word) => `"${p.text}" is not a name for ${p.expects}`),
  "malformed-subject": error(
    (p: Word) => `"${p.text}" is not a subject`,
    () => "a subject is service.entity.{id}.action, such as auth.user.{id}.created",
  ),
  "malformed-template": error(
    (p: Word) => `"${p.text}" is not a subject with a place for the id`,
    () =>
      'write tokens, "*" for any token, at most one "{id}", and ">" at the end for the rest: m.*.c.{id}.>',
  ),
  "malformed-pattern": error(
    (p: Word) => `"${p.text}" is not a pattern of subjects`,
    () =>
      'write "auth.user.*" for every action of an entity, or "auth.*" for every entity of a service; a subscription may be to one action, "auth.user.deleted"',
  ),
  "malformed-reference": error((p: Word) => `"${p.text}" is not ${p.expects}`),
  "malformed-path": error((p: Word) => `"${p.text}" is not ${p.expects}`),
  "malformed-header": error((p: Word) => `"${p.text}" is not ${p.expects}`),
  "invalid-duration": error(
    (p: Word) => `"${p.text}" is not a duration`,
    () => 'write a whole number and a unit: "500ms", "30s", "2m", "1h" or "7d"',
  ),
  "invalid-size": error(
    (p: Word) => `"${p.text}" is not a size`,
    () => 'write a whole number and a unit: "512KiB", "64MiB" or "1GiB"',
  ),
  "too-many": error(
    (p: { what: string; limit: number }) =>
      `${p.what}, ${p.limit.toLocaleString("en")} ${p.limit === 1 ? "is" : "are"} the most in PostgreSQL`,
  ),
  "reserved-name": error(
    (p: { name: string; use: string }) => `"${p.name}" is taken: ${p.use}`,
    () => "choose another name",
  ),
  "name-too-long": error(
    (p: { name: string; bytes: number; limit: number; reason: string }) =>
      `"${p.name}" has ${p.bytes} bytes, ${p.limit} is the most: ${p.reason}`,
  ),
  "name-collision": error(
    (p: { what: string; other: string; generated: string }) =>
      `${p.what} and ${p.other} would both be generated as "${p.generated}"`,
    () => "rename one of them",
  ),
  "malformed-ignore": error(
    () => "this ignores nothing: it has to name a code and say why",
    () => 'write "# mesh-ignore CODE: why it is right so", at the end of the line or above it',
  ),
  "unknown-code": error(
    (p: { code: string; isError: boolean }) =>
      p.isError ? `"${p.code}" is an error, which nothing silences` : `no warning has the code "${p.code}"`,
    (p) =>
      p.isError
        ? "remove the comment, and mend what is wrong"
        : "`mesh check` prints the code of each warning",
  ),
  "unused-ignore": warning(
    (p: { code: string }) => `there is no "${p.code}" to ignore here`,
    () => "remove the comment; it silences its own line, or the next one where it has its line to itself",
  ),
};
