import fc from "fast-check";

/** Any id that PostgreSQL can store: text without NUL and without half surrogate pairs. */
export const anyId = fc
  .oneof(
    fc.string({ unit: "binary", minLength: 1 }),
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...'a.*>%: \r\n\t%2Eé€𝄞\u007f"\\~!'), minLength: 1 }),
  )
  .filter((id) => !id.includes("\u0000") && Buffer.from(id).toString() === id);
