/** Parsed YAML, to be changed in place. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Mapping = { [key: string]: Json };

export interface Place {
  readonly parent: Json[] | Mapping;
  readonly key: string | number;
  readonly value: Json;
}

export const isMapping = (value: Json | undefined): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whatever stands in it, however deep. */
export function placesIn(value: Json, places: Place[] = []): Place[] {
  if (Array.isArray(value)) {
    for (const [key, child] of value.entries()) {
      places.push({ parent: value, key, value: child });
      placesIn(child, places);
    }
  } else if (isMapping(value)) {
    for (const [key, child] of Object.entries(value)) {
      places.push({ parent: value, key, value: child });
      placesIn(child, places);
    }
  }
  return places;
}

/** Also under `__proto__`. */
export function put({ parent, key }: Pick<Place, "parent" | "key">, value: Json): void {
  if (Array.isArray(parent)) parent[Number(key)] = value;
  else Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

export function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}
