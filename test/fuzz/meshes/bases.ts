import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../support/compile.js";
import { isMapping, type Json, type Mapping } from "../../support/json-places.js";

export interface Base {
  readonly name: string;
  readonly text: string;
  readonly mesh: Mapping;
}

const SOUND = ["test/scenarios/emit", "examples"];
const FAULTY = ["test/scenarios/diagnostics"];

function readBases(folders: readonly string[]): readonly Base[] {
  const paths = folders.flatMap((folder) =>
    folder === ""
      ? ["mesh.yaml"]
      : readdirSync(join(ROOT, folder)).map((name) => join(folder, name, "mesh.yaml")),
  );
  return paths
    .sort()
    .filter((path) => existsSync(join(ROOT, path)))
    .flatMap((name) => {
      const text = readFileSync(join(ROOT, name), "utf8");
      const mesh = parseLoosely(text);
      return isMapping(mesh) ? [{ name, text, mesh }] : [];
    });
}

/** Some scenarios show what no YAML parser takes, or what stands within itself and has no end. */
function parseLoosely(text: string): Json {
  try {
    const mesh = parse(text, { merge: true, stringKeys: true }) as Json;
    JSON.stringify(mesh);
    return mesh;
  } catch {
    return null;
  }
}

export const sound = readBases(["", ...SOUND]);
export const faulty = readBases(FAULTY);
export const bases = [...sound, ...faulty];
