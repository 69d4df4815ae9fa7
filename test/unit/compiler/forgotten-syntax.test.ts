import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { ROOT } from "../../support/compile.js";

test("places are the same once the syntax was forgotten", () => {
  const text = readFileSync(join(ROOT, "mesh.yaml"), "utf8");
  const compilation = compileMesh(text, { file: "mesh.yaml" });
  const path = ["databases", "auth_db", "tables", "users"];
  const places = () => ({
    at: compilation.placeAt(path),
    of: compilation.placeOf({ kind: "service", service: "sfs" }),
    located: compilation.locate([{ code: "x", message: "y", path }]),
  });
  const before = places();
  expect(before.at.start.line).toBeGreaterThan(1);
  compilation.forgetSyntax();
  expect(places()).toEqual(before);
});
