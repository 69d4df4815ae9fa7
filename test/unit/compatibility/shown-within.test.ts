import { expect, test } from "vitest";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import { compile } from "../../support/compile.js";
import { templates } from "../../support/migrations.js";
import { bases } from "./bases.js";

test("what shows something else within an object is named, and not the object", () => {
  const shows = (column: string) =>
    compile(
      bases.library.replaceAll(
        "by: { fields:",
        `about: { fields: { text: { from: ${column} } } }, by: { fields:`,
      ),
    );
  const { changes } = compareMeshes(shows("title"), shows("state"), { templates });
  const messages = changes.filter(({ kind }) => kind === "field-shows-other").map(({ message }) => message);
  expect(messages.join()).toMatch(/about\.text shows column state, no longer column title/);
});
