/*
 * When writers committed what, by the step of the schedule: what happened before what is never in doubt here.
 */

export interface History {
  /** Step at which a row was last written; undefined when no writer did, or nobody knows whether it did. */
  written(service: string, table: string, key: string): number | undefined;
  /** Step at which it was last deleted by a writer. */
  deleted(service: string, table: string, key: string): number | undefined;
}

export interface Recorder extends History {
  wrote(place: RowPlace, step: number): void;
  deletes(place: RowPlace, step: number): void;
  /** The answer to a commit was lost: nothing is known of these rows until they are written again. */
  doubts(place: RowPlace): void;
}

export interface RowPlace {
  readonly service: string;
  readonly table: string;
  readonly key: string;
}

export function createHistory(): Recorder {
  const written = new Map<string, number>();
  const deleted = new Map<string, number>();
  const name = (service: string, table: string, key: string) => `${service} ${table} ${key}`;
  const at = ({ service, table, key }: RowPlace) => name(service, table, key);
  return {
    written: (...place) => written.get(name(...place)),
    deleted: (...place) => deleted.get(name(...place)),
    wrote: (place, step) => written.set(at(place), step),
    deletes: (place, step) => deleted.set(at(place), step),
    doubts: (place) => written.delete(at(place)),
  };
}
