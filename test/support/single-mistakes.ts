import type { Shape, TextShape } from "../../generator/language/shape.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One mistake in a mesh that has none. */
export interface Mistake {
  /** The key of the grammar that it is in, with `*` for what a user names: `services.*.http.port`. */
  readonly key: string;
  readonly kind:
    | "misspelt"
    | "misnamed"
    | "wrong kind"
    | "nothing"
    | "missing"
    | "unknown"
    | "misspelt key"
    | "misspelt name";
  /** Where it is in the mesh. */
  readonly place: string;
  readonly mesh: () => Json;
}

type Edit = (change: (value: Json) => Json) => Json;

/** All mistakes that the reader finds, one in each key, item and name of the mesh. */
export function* singleMistakes(shape: Shape, mesh: Json): Generator<Mistake> {
  yield* mistakesIn(shape, mesh, { key: "", place: "", edit: (change) => change(mesh) });
}

interface Place {
  readonly key: string;
  readonly place: string;
  readonly edit: Edit;
}

function* mistakesIn(shape: Shape, value: Json, at: Place): Generator<Mistake> {
  const put = (kind: Mistake["kind"], changed: Json): Mistake => ({
    key: at.key,
    kind,
    place: at.place,
    mesh: () => at.edit(() => changed),
  });
  switch (shape.kind) {
    case "either":
      yield* mistakesIn(shapeOf(shape, value), value, at);
      return;
    case "mapping":
      if (at.key !== "") yield put("wrong kind", [[]]);
      if (isMapping(value)) yield* mistakesInMapping(shape, value, at);
      return;
    case "dictionary":
      if (at.key !== "") yield put("wrong kind", [[]]);
      if (isMapping(value)) yield* mistakesInDictionary(shape, value, at);
      return;
    case "list":
      yield put("wrong kind", [[]]);
      if (shape.minimum > 0) yield put("nothing", []);
      if (!Array.isArray(value)) return;
      for (const [index, item] of (value as readonly Json[]).entries())
        yield* mistakesIn(shape.item, item, {
          key: `${at.key}[]`,
          place: `${at.place}[${index}]`,
          edit: (change) => at.edit((list) => (list as readonly Json[]).with(index, change(item))),
        });
      return;
    case "open":
      return;
    case "text":
      yield put("wrong kind", [[]]);
      for (const text of [`?!${String(value)}`, "\n"].filter((each) => refuses(shape, each)).slice(0, 1))
        yield put("misspelt", text);
      if (shape.pattern !== undefined && !refuses(shape, `${String(value)}q`))
        yield put("misnamed", `${String(value)}q`);
      return;
    case "choice":
      yield put("wrong kind", [[]]);
      yield put("misspelt", `x${String(value)}`);
      return;
    case "integer":
      yield put("wrong kind", [[]]);
      yield put("misspelt", `x${String(value)}`);
      return;
    case "flag":
      yield put("wrong kind", [[]]);
      yield put("misspelt", `x${String(value)}`);
      return;
    case "scalar":
      yield put("wrong kind", [[]]);
      return;
    default:
      shape satisfies never;
  }
}

function* mistakesInMapping(
  shape: Shape & { kind: "mapping" },
  value: { readonly [key: string]: Json },
  at: Place,
): Generator<Mistake> {
  const change = (kind: Mistake["kind"], key: string, edit: (value: Json) => Json): Mistake => ({
    key: `${at.key}.${key}`,
    kind,
    place: `${at.place}.${key}`,
    mesh: () => at.edit(edit),
  });
  yield change("unknown", "zzzzzzzzz", (mapping) => ({ ...(mapping as object), zzzzzzzzz: 7 }));
  for (const [key, inner] of Object.entries(value)) {
    const known = shape.keys[key];
    if (known === undefined) continue;
    yield change("misspelt key", key, () => renamed(value, key, `${key}q`));
    if (known.required) yield change("missing", key, () => without(value, key));
    yield* mistakesIn(known.shape, inner, {
      key: `${at.key}.${key}`,
      place: `${at.place}.${key}`,
      edit: (edit) => at.edit((mapping) => ({ ...(mapping as object), [key]: edit(inner) })),
    });
  }
}

function* mistakesInDictionary(
  shape: Shape & { kind: "dictionary" },
  value: { readonly [key: string]: Json },
  at: Place,
): Generator<Mistake> {
  for (const [name, inner] of Object.entries(value)) {
    if (/\.(when|unless|where|calls)$/.test(at.key))
      yield {
        key: `${at.key}.*`,
        kind: "misnamed",
        place: `${at.place}.${name}`,
        mesh: () => at.edit(() => renamed(value, name, `${name}q`)),
      };
    if (refuses(shape.name, `?!${name}`))
      yield {
        key: `${at.key}.*`,
        kind: "misspelt name",
        place: `${at.place}.${name}`,
        mesh: () => at.edit(() => renamed(value, name, `?!${name}`)),
      };
    yield* mistakesIn(shape.value, inner, {
      key: `${at.key}.*`,
      place: `${at.place}.${name}`,
      edit: (edit) => at.edit((mapping) => ({ ...(mapping as object), [name]: edit(inner) })),
    });
  }
}

function refuses({ pattern, parse }: TextShape<unknown>, text: string): boolean {
  return pattern?.test(text) === false || parse(text) === undefined;
}

/** As the reader chooses between them. */
function shapeOf(shape: Shape, value: Json): Shape {
  if (shape.kind !== "either") return shape;
  const { short, full } = shape;
  const isShort =
    short.kind === "list"
      ? Array.isArray(value)
      : short.kind === "mapping"
        ? isMapping(value) && Object.keys(value).some((key) => short.keys[key]?.required === true)
        : value === null || typeof value !== "object";
  return shapeOf(isShort ? short : full, value);
}

function isMapping(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function renamed(value: { readonly [key: string]: Json }, from: string, to: string): Json {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key === from ? to : key, inner]));
}

function without(value: { readonly [key: string]: Json }, left: string): Json {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== left));
}
