import type { Place } from "../../diagnostics/locate.js";
import type { Change } from "../change.js";
import { type ChangeClass, classNames } from "../change-class.js";
import type { MeshDiff } from "../compare-meshes.js";

export interface PlacedChange extends Change {
  /** In mesh.yaml as it is; of what is gone, of the nearest thing around it. */
  readonly place: Place;
  /** In the older mesh.yaml, where the thing is gone and that file is known. */
  readonly formerPlace: Place | undefined;
  readonly alsoPlaces: readonly Place[];
}

export interface DiffReport extends Pick<MeshDiff, "statements" | "breaks"> {
  /** As the caller said it: `main`. */
  readonly against: string;
  /** Worst first, then in the order of the file. */
  readonly changes: readonly PlacedChange[];
  readonly failOn: readonly ChangeClass[];
}

type PlaceOf = (path: Change["path"]) => Place;

export function placeChanges(
  { changes }: Pick<MeshDiff, "changes">,
  placeNow: PlaceOf,
  placeBefore: PlaceOf | undefined,
): readonly PlacedChange[] {
  const placed = changes.map((change) => ({
    ...change,
    place: placeNow(change.path),
    alsoPlaces: change.also.map(change.gone === true && placeBefore !== undefined ? placeBefore : placeNow),
    formerPlace: change.gone === true ? placeBefore?.(change.path) : undefined,
  }));
  return placed.toSorted(
    (a, b) =>
      classNames.indexOf(a.class) - classNames.indexOf(b.class) ||
      a.place.start.line - b.place.start.line ||
      a.place.start.column - b.place.start.column,
  );
}

export function countClasses(changes: readonly Change[]): Readonly<Record<ChangeClass, number>> {
  const counts = classNames.map((name) => [name, changes.filter((change) => change.class === name).length]);
  return Object.fromEntries(counts) as Record<ChangeClass, number>;
}

export function isFailing({ class: of }: Pick<Change, "class">, failOn: readonly ChangeClass[]): boolean {
  return failOn.includes(of);
}

export function placeText({ file, start }: Place): string {
  return `${file}:${start.line}:${start.column}`;
}
