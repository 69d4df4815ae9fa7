/*
 * Plain JavaScript that the compiled validators of a file share, written into it.
 */

/** JSON Schema's equality, for `enum`, `const` and `uniqueItems` over arrays and objects. */
export const EQUAL = `function equal(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}`;

/** JSON Schema counts characters, where a JavaScript string counts UTF-16 units. */
export const CODE_POINTS = `function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}`;

/** Of decimal numbers as they are written, which their doubles are only near to. */
export const IS_MULTIPLE = `function isMultiple(value, unit) {
  if (!Number.isFinite(value)) return false;
  const [a, b] = [value, unit].map((number) => {
    const [digits, exponent = "0"] = String(number).split("e");
    const [whole, fraction = ""] = digits.split(".");
    return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
  });
  const least = Math.min(a.exponent, b.exponent);
  const scaled = ({ digits, exponent }) => digits * 10n ** BigInt(exponent - least);
  return scaled(a) % scaled(b) === 0n;
}`;

/** Every event has the same metadata: it is compiled once per file, and each event adds its payload. */
export const WITH_METADATA = `function withMetadata(validatePayload) {
  const validate = (data) => {
    const hasMetadata = metadata(data);
    const hasPayload = validatePayload(data);
    if (hasMetadata && hasPayload) validate.errors = null;
    else validate.errors = [...(metadata.errors ?? []), ...(validatePayload.errors ?? [])];
    return hasMetadata && hasPayload;
  };
  return validate;
}`;
