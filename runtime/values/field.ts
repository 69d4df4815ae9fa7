/**
 * A field of an object that was parsed from JSON; undefined where it is absent. No JSON value is a function: one under a name like
 * `constructor` is inherited.
 */
export function fieldOf(object: object, name: string): unknown {
  const value: unknown = (object as Readonly<Record<string, unknown>>)[name];
  return typeof value === "function" ? undefined : value;
}

interface Filled {
  readonly name: string;
  readonly field?: string;
  readonly member?: string;
}

/** The field of an event that fills a cache's column. */
export function fieldFilling({ name, field }: Filled): string {
  return field ?? name;
}

/** The member of its owner's rows that does. */
export function memberFilling({ name, member }: Filled): string {
  return member ?? name;
}
