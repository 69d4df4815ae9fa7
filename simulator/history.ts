/*
 * When the writers committed what, as a step of the schedule: so the order of any two commits is known.
 */

export interface History {
  /** The step at which a row was last written; undefined when no writer wrote it, or when that is not known. */
  lastWritten(place: RowPlace): number | undefined;
  /** The step at which a writer last deleted it. */
  lastDeleted(place: RowPlace): number | undefined;
}

export interface Recorder extends History {
  recordWrite(place: RowPlace, step: number): void;
  recordDeletion(place: RowPlace, step: number): void;
  /** The answer to a COMMIT was lost: what the row is now is not known until it is written again. */
  recordUnknown(place: RowPlace): void;
}

export interface RowPlace {
  readonly service: string;
  readonly table: string;
  readonly key: string;
}

export function createHistory(): Recorder {
  const written = new Map<string, number>();
  const deleted = new Map<string, number>();
  const at = ({ service, table, key }: RowPlace) => `${service} ${table} ${key}`;
  return {
    lastWritten: (place) => written.get(at(place)),
    lastDeleted: (place) => deleted.get(at(place)),
    recordWrite: (place, step) => written.set(at(place), step),
    recordDeletion: (place, step) => deleted.set(at(place), step),
    recordUnknown: (place) => written.delete(at(place)),
  };
}
