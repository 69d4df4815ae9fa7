/*
 * Moments as texts of mesh.yaml. Without an offset they are in UTC.
 */

/** Whether the text says how far from UTC it is, other than by `Z`. */
export function hasOffset(text: string): boolean {
  return /:\d{2}(\.\d+)?[+-]\d{2}(:?\d{2})?$/.test(text);
}

/** The same moment with its offset said, so that no session's time zone is taken for it. */
export function withOffset(text: string): string {
  if (hasOffset(text) || /[Zz]$/.test(text)) return text;
  return text.includes(":") ? `${text}Z` : `${text} 00:00:00Z`;
}
