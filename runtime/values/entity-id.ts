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
