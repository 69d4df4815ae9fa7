/** The keys that a default draws, by the type of their column: `{ type: uuid, key: true, default: uuid }`. */
const drawn = ["uuid", "nanoid"] as const;

/** A key that is drawn for each row that names none. */
export type DrawnKey = (typeof drawn)[number];

/** What a default of mesh.yaml draws; undefined where it is a value. */
export function drawnBy(type: string, value: string | number | boolean): DrawnKey | undefined {
  return drawn.find((word) => word === value && word === type);
}
