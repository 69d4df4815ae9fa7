/*
 * When the writers committed what, as a step of the schedule: so the order of any two commits is known.
 */

export interface History {
  /** The step at which a row was last written; undefined when no writer wrote it, or when that is not known. */
  lastWritten(row: RowName): number | undefined;
  /** The step at which a writer last deleted it. */
  lastDeleted(row: RowName): number | undefined;
}

export interface Recorder extends History {
  recordWrite(row: RowName, step: number): void;
  recordDeletion(row: RowName, step: number): void;
  /** The answer to a COMMIT was lost: what the row is now is not known until it is written again. */
  recordUnknown(row: RowName): void;
}

export interface RowName {
  readonly service: string;
  readonly table: string;
  readonly key: string;
}

export function createHistory(): Recorder {
  const written = new Map<string, number>();
  const deleted = new Map<string, number>();
  const at = ({ service, table, key }: RowName) => `${service} ${table} ${key}`;
  return {
    lastWritten: (row) => written.get(at(row)),
    lastDeleted: (row) => deleted.get(at(row)),
    recordWrite: (row, step) => written.set(at(row), step),
    recordDeletion: (row, step) => deleted.set(at(row), step),
    recordUnknown: (row) => written.delete(at(row)),
  };
}
