/*
 * How much a mesh may be: far more than people write or programs have written, and little enough that whatever
 * stands in the file is answered within seconds.
 */

/** UTF-16 units of the text, and bytes of the file. The largest mesh that is measured has a million. */
export const MAXIMUM_TEXT = 4 * 2 ** 20;

/** Words, marks and line breaks. */
export const MAXIMUM_TOKENS = 1_000_000;

/** Mappings and lists within each other, once aliases are followed: a JSON Schema takes two for each of its levels. */
export const MAXIMUM_DEPTH = 256;

/** Values, once aliases and merges are followed. */
export const MAXIMUM_VALUES = 1_000_000;
