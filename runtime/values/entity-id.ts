/** Between the parts of the id of an entity whose key has several columns. */
const SEPARATOR = ":";

/** The id of an entity, of the texts of its key columns: of one column its text, of several `42:7`, with `%25` and `%3A` for `%` and `:` within a part. */
export function joinId(parts: readonly string[]): string {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll(SEPARATOR, "%3A")).join(SEPARATOR);
}

/** The texts of the key columns; undefined where `joinId` makes no such id of so many. */
export function splitId(id: string, columns: number): readonly string[] | undefined {
  if (columns === 1) return [id];
  const parts = id.split(SEPARATOR).map((part) => part.replaceAll("%3A", SEPARATOR).replaceAll("%25", "%"));
  return parts.length === columns && joinId(parts) === id ? parts : undefined;
}

/** The id as a segment of a URL's path, in which a colon needs no escape. */
export function pathSegment(id: string): string {
  return encodeURIComponent(id).replaceAll("%3A", ":");
}

/** PostgreSQL indexes up to 2,704 bytes, and no publisher of ours sends a longer token. */
const LONGEST_BYTES = 2048;

/**
 * Why the id of an entity cannot be stored; undefined where it can. Order guard, attempts and dead letters have the id as their key:
 * an event with such an id could not even fail properly.
 */
export function unfitId(id: string): string | undefined {
  if (id.includes("\0")) return "its id holds a NUL";
  // No character takes more than three bytes for each of its UTF-16 units.
  const bytes = id.length * 3 <= LONGEST_BYTES ? 0 : Buffer.byteLength(id);
  return bytes > LONGEST_BYTES
    ? `its id has ${bytes} bytes, at most ${LONGEST_BYTES} can be kept`
    : undefined;
}
