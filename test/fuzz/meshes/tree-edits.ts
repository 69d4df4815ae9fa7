import { type Draw, pick } from "../../support/draw.js";
import {
  isMapping,
  type Json,
  type Mapping,
  type Place,
  placesIn,
  put,
  remove,
} from "../../support/json-places.js";
import { bases } from "./bases.js";

export type TreeEdit = (mesh: Mapping, draw: Draw) => void;

/** Some place of it, if it has any; deep and shallow ones alike. */
function anyPlace(mesh: Json, draw: Draw): Place | undefined {
  const places = placesIn(mesh);
  if (places.length === 0) return undefined;
  const keyed = places.filter(({ parent }) => !Array.isArray(parent));
  return pick(draw(4) > 0 && keyed.length > 0 ? keyed : places, draw);
}

const RETYPED: readonly Json[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, "", "x", "1", "null", "~", [], {}, [[]], [null], { "": null }],
  ...["text", "text?", "bigint", "numeric(12,2)", "timestamp", "json", "string", "string[]", "integer?"],
  ...[{ type: "text", key: true }, { type: "integer", null: true, default: 1 }, "*", "a.*", "a.b.{id}.c"],
  ...["1s", "0s", "1000d", "now", { type: "string", pattern: "(a+)+$" }, { $ref: "#/x" }, "__proto__"],
];

/** Edits of what YAML says, whatever becomes of it. */
export const TREE_EDITS: readonly TreeEdit[] = [
  function drop(mesh, draw) {
    const place = anyPlace(mesh, draw);
    if (place !== undefined) remove(place);
  },
  function duplicate(mesh, draw) {
    const place = anyPlace(mesh, draw);
    if (place === undefined) return;
    const { parent, key, value } = place;
    if (Array.isArray(parent)) parent.splice(Number(key), 0, structuredClone(value));
    else put({ parent, key: `${key}${pick(["2", "_2", "s", "?"], draw)}` }, structuredClone(value));
  },
  function swap(mesh, draw) {
    const [one, other] = [anyPlace(mesh, draw), anyPlace(mesh, draw)];
    if (one === undefined || other === undefined) return;
    const [first, second] = [structuredClone(one.value), structuredClone(other.value)];
    put(one, second);
    put(other, first);
  },
  function rename(mesh, draw) {
    const [place, other] = [anyPlace(mesh, draw), anyPlace(mesh, draw)];
    if (place === undefined || Array.isArray(place.parent)) return;
    remove(place);
    const key = draw(2) === 0 ? String(other?.key) : pick(["constructor", "a b", "é", "x", "1", "<<"], draw);
    put({ ...place, key }, place.value);
  },
  function retype(mesh, draw) {
    const place = anyPlace(mesh, draw);
    if (place !== undefined) put(place, structuredClone(pick(RETYPED, draw)));
  },
  /** What stands under the same key elsewhere, in this mesh or in another. */
  function splice(mesh, draw) {
    const place = anyPlace(mesh, draw);
    if (place === undefined) return;
    const other = pick(bases, draw);
    const like = placesIn(other.mesh).filter(({ key }) => key === place.key);
    const from = like.length > 0 ? pick(like, draw) : anyPlace(other.mesh, draw);
    if (from !== undefined) put(place, structuredClone(from.value));
  },
  /** A part of another mesh beside those of this one. */
  function adopt(mesh, draw) {
    const other = pick(bases, draw);
    for (const key of Object.keys(other.mesh)) {
      const [mine, theirs] = [mesh[key], other.mesh[key]];
      if (draw(3) === 0) continue;
      if (isMapping(mine) && isMapping(theirs)) mesh[key] = { ...structuredClone(theirs), ...mine };
      else if (Array.isArray(mine) && Array.isArray(theirs)) mine.push(...structuredClone(theirs));
      else if (mine === undefined && theirs !== undefined)
        put({ parent: mesh, key }, structuredClone(theirs));
    }
  },
];
