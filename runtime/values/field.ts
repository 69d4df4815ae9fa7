/**
 * A field of an object that was JSON. No value of JSON is a function: one that is found under a name like `constructor`
 * is inherited, and the field is not there.
 */
export function fieldOf(object: object, name: string): unknown {
  const value: unknown = (object as Readonly<Record<string, unknown>>)[name];
  return typeof value === "function" ? undefined : value;
}
