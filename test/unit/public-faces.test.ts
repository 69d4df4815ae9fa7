import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/*
 * What packages export: each name listed, and each with a doc comment at its declaration.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

function facesOf(folder: string): readonly string[] {
  const { exports } = JSON.parse(read(join(folder, "package.json"))) as {
    readonly exports: Readonly<Record<string, string | { readonly "meshwright-source": string }>>;
  };
  return Object.values(exports).flatMap((entry) =>
    typeof entry === "string" ? [] : [join(folder, entry["meshwright-source"])],
  );
}

const faces = ["runtime", "simulator", "generator"].flatMap(facesOf);

interface Exported {
  readonly name: string;
  /** The file that declares it. */
  readonly file: string;
}

const DECLARATION = "(?:async )?(?:interface|type|class|function\\*?|const)";

/** Declared in the file, or followed through files that only export again. */
function exportsOf(file: string): readonly Exported[] {
  const declared = [...read(file).matchAll(new RegExp(`^export ${DECLARATION} (\\w+)`, "gm"))].map(
    ([, name = ""]) => ({ name, file }),
  );
  const lists = read(file).matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm);
  const listed = [...lists].flatMap(([, names = "", from = ""]) => {
    const target = join(dirname(file), from).replace(/\.js$/, ".ts");
    const further = new Map(exportsOf(target).map((one) => [one.name, one.file]));
    return names
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, file: further.get(name) ?? target }));
  });
  return [...declared, ...listed];
}

test("the faces are found", () => {
  expect(faces).toContain("runtime/index.ts");
  expect(faces.flatMap(exportsOf).length).toBeGreaterThan(80);
});

test.each(faces)("%s lists what it exports by name", (face) => {
  expect(read(face)).not.toMatch(/export (type )?\*/);
});

test.each(faces)("every name of %s has a doc comment", (face) => {
  const silent = exportsOf(face).filter(({ name, file }) => {
    const declared = new RegExp(`(\\*/\\n)?^export ${DECLARATION} ${name}\\b`, "m").exec(read(file));
    return declared?.[1] === undefined;
  });
  expect(silent.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
});
