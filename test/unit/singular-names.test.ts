import { expect, test } from "vitest";
import { singularName } from "../../generator/model/names.js";

test.each([
  ["statuses", "Status"],
  ["news", "News"],
  ["series", "Series"],
  ["data", "Data"],
  ["user_data", "UserData"],
  ["addresses", "Address"],
  ["categories", "Category"],
  ["people", "Person"],
  ["movies", "Movie"],
  ["page_caches", "PageCache"],
  ["niches", "Niche"],
  ["branches", "Branch"],
  ["axes", "Axis"],
  ["axis", "Axis"],
  ["lenses", "Lens"],
  ["lens", "Lens"],
  ["biases", "Bias"],
  ["basis", "Basis"],
  ["analyses", "Analysis"],
  ["analysis", "Analysis"],
  ["dns", "Dns"],
  ["gps", "Gps"],
  ["taxis", "Taxi"],
  ["os", "Os"],
  ["s", "S"],
])("a row of %s is a %s", (table, row) => {
  expect(singularName(table)).toBe(row);
});
