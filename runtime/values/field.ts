/**
 * A field of an object that was parsed from JSON; undefined where it is absent. No JSON value is a function: one under a name like
 * `constructor` is inherited.
 */
export function fieldOf(object: object, name: string): unknown {
  const value: unknown = (object as Readonly<Record<string, unknown>>)[name];
  return typeof value === "function" ? undefined : value;
}
