/*
 * Subjects: `{service}.{entity}.{id}.{action}`. An id is one token: characters that are unsafe in a subject are
 * percent-encoded, byte for byte as mesh.token does it in SQL.
 */

/** In characters, as in SQL: a line of the broker's protocol must hold the whole subject. */
const LONGEST_TOKEN = 2048;

/** Printable ASCII without `%`, `*`, `.` and `>`: an id of these characters is its own token. */
const PLAIN = /^[!-$&-),+\-/-=?-~]+$/;
const SUBJECT = /^[!-),+\-/-=?-~]+(?:\.[!-),+\-/-=?-~]+)*$/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** An id as one token of a subject. Throws `RangeError` for one that is empty or too long. */
export function encodeToken(id: string): string {
  const token = PLAIN.test(id) ? id : escapeToken(id);
  if (token === "") throw new RangeError("an empty id cannot be a token of a subject");
  if (token.length > LONGEST_TOKEN) {
    throw new RangeError(`an id of ${utf8.encode(id).length} bytes is too long for a subject`);
  }
  return token;
}

function escapeToken(id: string): string {
  let token = "";
  for (const byte of utf8.encode(id)) {
    const character = String.fromCharCode(byte);
    token += PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** The id that a token encodes. A token that is not encoded, such as a foreign publisher's `50%`, is the id itself. */
export function decodeToken(token: string): string {
  if (!token.includes("%")) return token;
  const bytes: number[] = [];
  let end = 0;
  for (const escaped of token.matchAll(ESCAPE)) {
    bytes.push(...utf8.encode(token.slice(end, escaped.index)), Number.parseInt(escaped[1] ?? "", 16));
    end = escaped.index + escaped[0].length;
  }
  bytes.push(...utf8.encode(token.slice(end)));
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch (error) {
    if (error instanceof TypeError) return token;
    throw error;
  }
}

/** What a subject of the documented form says. */
export interface SubjectParts {
  readonly service: string;
  readonly entity: string;
  /** As it is in `metadata.entity_id`, not encoded. */
  readonly id: string;
  readonly action: string;
}

/** The documented subject of an event. */
export function subjectOf({ service, entity, id, action }: SubjectParts): string {
  return `${service}.${entity}.${encodeToken(id)}.${action}`;
}

/** Undefined for a subject that is not of the mesh's form. */
export function parseSubject(subject: string): SubjectParts | undefined {
  const [service, entity, token, action, ...more] = subject.split(".");
  if (!service || !entity || !token || !action || more.length > 0) return undefined;
  return { service, entity, id: decodeToken(token), action };
}

/** What all subjects of one entity begin with: `auth.user.42` of `auth.user.42.created`. */
export function withoutAction(subject: string): string {
  const end = subject.lastIndexOf(".");
  return end === -1 ? subject : subject.slice(0, end);
}

/** Whether a NATS filter (`*` one token, a final `>` one or more) covers a subject. */
export function matches(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  if (wanted.at(-1) === ">") return tokens.length >= wanted.length && covers(wanted.slice(0, -1), tokens);
  return tokens.length === wanted.length && covers(wanted, tokens);
}

function covers(wanted: readonly string[], tokens: readonly string[]): boolean {
  return wanted.every((want, index) => want === "*" || want === tokens[index]);
}

/**
 * Whether the subject is safe in the broker's protocol, and of one message: tokens of printable ASCII, no wildcards. The client checks
 * nothing: an id with CRLF in it would become a command of its own.
 */
export function isPublishable(subject: string): boolean {
  return SUBJECT.test(subject) && subject.length <= 2 * LONGEST_TOKEN;
}

/** Whether any of the filters covers a subject; compiled once, for a check of every message. */
export function matcher(filters: readonly string[]): (subject: string) => boolean {
  if (filters.length === 0) return () => false;
  const pattern = new RegExp(`^(?:${filters.map(patternOf).join("|")})$`);
  return (subject) => pattern.test(subject);
}

function patternOf(filter: string): string {
  const tokens = filter.split(".");
  return tokens.map((token, index) => tokenPattern(token, index === tokens.length - 1)).join("\\.");
}

function tokenPattern(token: string, last: boolean): string {
  if (token === "*") return "[^.]+";
  return token === ">" && last ? ".+" : token.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
