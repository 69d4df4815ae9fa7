import { type Draw, pick } from "../../support/draw.js";
import { isMapping, type Mapping, type Place, placesIn, put, remove } from "../../support/json-places.js";
import type { TreeEdit } from "./tree-edits.js";

const COLUMN_TYPES = [
  "text",
  "text?",
  "bigint",
  "integer",
  "integer?",
  "boolean",
  "timestamp?",
  "json",
  "json?",
];
const FIELD_TYPES = [
  "string",
  "string?",
  "integer",
  "integer?",
  "boolean",
  "json",
  "json?",
  "string[]",
  "decimal?",
];

/** Places whose parent stands under a key of this name. */
const placesUnder = (mesh: Mapping, name: string): readonly Place[] =>
  placesIn(mesh)
    .filter(({ key, value }) => key === name && isMapping(value))
    .flatMap(({ value }) => placesIn(value).filter(({ parent }) => parent === value));

function anyUnder(mesh: Mapping, names: readonly string[], draw: Draw): Place | undefined {
  const places = placesUnder(mesh, pick(names, draw));
  return places.length === 0 ? undefined : pick(places, draw);
}

/** Edits as a team makes them: most leave a mesh that compiles, and is another one. */
export const GENTLE_EDITS: readonly TreeEdit[] = [
  function dropEntry(mesh, draw) {
    const place = anyUnder(mesh, ["subjects", "columns", "payload", "tables", "services", "databases"], draw);
    if (place !== undefined) remove(place);
  },
  function dropRule({ cascades }, draw) {
    if (Array.isArray(cascades) && cascades.length > 0) cascades.splice(draw(cascades.length), 1);
  },
  function dropSetting(mesh, draw) {
    const settings = placesIn(mesh).filter(
      ({ value, parent }) => !isMapping(value) && !Array.isArray(parent),
    );
    if (settings.length > 0) remove(pick(settings, draw));
  },
  function addColumn(mesh, draw) {
    const place = anyUnder(mesh, ["columns"], draw);
    if (place !== undefined) put({ ...place, key: `more${draw(3)}` }, pick(COLUMN_TYPES, draw));
  },
  function addField(mesh, draw) {
    const place = anyUnder(mesh, ["payload"], draw);
    if (place !== undefined) put({ ...place, key: `more${draw(3)}` }, pick(FIELD_TYPES, draw));
  },
  function retypeColumn(mesh, draw) {
    const place = anyUnder(mesh, ["columns"], draw);
    if (place === undefined) return;
    const { value } = place;
    if (!isMapping(value)) put(place, pick(COLUMN_TYPES, draw));
    else
      switch (draw(4)) {
        case 0:
          value.null = value.null !== true;
          break;
        case 1:
          value.unique = value.unique !== true;
          break;
        case 2:
          value.private = value.private !== true;
          break;
        default:
          value.type = pick(COLUMN_TYPES, draw).replace("?", "");
      }
  },
  function retypeField(mesh, draw) {
    const place = anyUnder(mesh, ["payload"], draw);
    if (place !== undefined) put(place, pick(FIELD_TYPES, draw));
  },
  function moveEntry(mesh, draw) {
    const place = anyUnder(mesh, ["subjects", "columns", "tables", "services"], draw);
    if (place === undefined) return;
    remove(place);
    put(place, place.value);
  },
  function hear(mesh, draw) {
    const place = anyUnder(mesh, ["services"], draw);
    const subject = anyUnder(mesh, ["subjects"], draw);
    if (place === undefined || subject === undefined || !isMapping(place.value)) return;
    const [service, entity] = String(subject.key).split(".");
    const { subscribes } = place.value;
    place.value.subscribes = [...(Array.isArray(subscribes) ? subscribes : []), `${service}.${entity}.*`];
  },
];
