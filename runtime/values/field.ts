/**
 * A field of an object that was parsed from JSON; undefined where it is absent. No JSON value is a function: one under a name like
 * `constructor` is inherited.
 */
export function fieldOf(object: object, name: string): unknown {
  const value: unknown = (object as Readonly<Record<string, unknown>>)[name];
  return typeof value === "function" ? undefined : value;
}

/** What REST calls a column, and so snapshots. */
export function shownName({ name, shown }: { readonly name: string; readonly shown?: string }): string {
  return shown ?? name;
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
export function memberFilling({ name, field, member }: Filled): string {
  return member ?? field ?? name;
}

/** The column of the owner's table that is such a member of its rows. */
export function columnShownAs(
  { columns }: { readonly columns: readonly { readonly name: string; readonly shown?: string }[] },
  member: string,
): string {
  return columns.find((column) => shownName(column) === member)?.name ?? member;
}
