/*
 * How wide a text is, without its font: whoever looks at the file has fonts of their own. Widths are those of DejaVu Sans, the widest
 * that a system falls back to, so that no label is wider than its box.
 */

/** Of characters of one em, by their look. */
const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/\p{Mn}|\p{Me}|\u200c|\u200d/u, 0],
  [/[ijlI|!'.,:;]/, 0.34],
  [/[ ftr()[\]{}"`/\\-]/, 0.42],
  [/[mwMW@%]/, 0.99],
  [/[A-Z&+=<>#~^]/, 0.76],
  [/[\x20-\x7e]/, 0.64],
  [/\p{Extended_Pictographic}/u, 1.4],
  [/[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u, 0.8],
];

/** In pixels. Bold is a ninth wider. */
export function textWidth(
  text: string,
  { size, bold = false }: { readonly size: number; readonly bold?: boolean },
): number {
  let ems = 0;
  for (const character of text) ems += WIDTHS.find(([look]) => look.test(character))?.[1] ?? 1.05;
  return Math.ceil(ems * size * (bold ? 1.12 : 1));
}
