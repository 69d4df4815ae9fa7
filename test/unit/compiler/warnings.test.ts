import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findHookMistakes } from "../../../generator/check/hook-files.js";
import { compileMesh } from "../../../generator/compile.js";
import { renderDiagnostics } from "../../../generator/diagnostics/render.js";
import { ROOT, readMesh } from "../../support/compile.js";

/*
 * Sane meshes are warned of nothing, or say why it is right so. A warning here is a mistake of the mesh, or of the rule.
 */

const under = (folder: string) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);

function hooksOf(project: string) {
  const folder = join(ROOT, project, "hooks");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
}

describe("no warning, beside their hooks", () => {
  test.each([".", ...under("examples")])("of %s", (project) => {
    const hooks = hooksOf(project);
    const { mesh, diagnostics, locate } = compileMesh(readMesh(join(project, "mesh.yaml")), {
      file: "m",
      hooks,
    });
    expect(renderDiagnostics(diagnostics)).toBe("");
    if (mesh === undefined) throw new Error("it does not compile");
    const findings = findHookMistakes(mesh, hooks);
    expect(renderDiagnostics(locate(findings.map((each) => ({ ...each, path: each.path ?? [] }))))).toBe("");
  });
});

describe("no warning, of scenarios that have no hooks", () => {
  const meshes = [...under("test/scenarios/emit"), ...under("test/scenarios/adopt")].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => `${folder}/${name}`),
  );

  test.each(meshes)("of %s", (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true);
    expect(renderDiagnostics(compileMesh(readMesh(path), { file: path }).diagnostics)).toBe("");
  });
});

test("the rule that a hint gives is one, and leaves nothing to warn of", () => {
  let text = readMesh("test/scenarios/diagnostics/foreign-id-without-rule/mesh.yaml");
  const warned = () => compileMesh(text, { file: "m" }).diagnostics;
  const hints = warned().map(({ hint }) => /^add "(\{.*?\})" to "cascades"/.exec(hint ?? "")?.[1]);
  expect(hints.length).toBe(4);
  text = `${text}${hints.map((rule) => `  - ${rule}\n`).join("")}`;
  expect(warned()).toEqual([]);
});

test("a column that ends in the id of a foreign entity needs a rule as one that is called so, unless it is of something else", () => {
  const good = readMesh("mesh.yaml");
  const warned = (columns: string, text = good) =>
    compileMesh(
      text.replace("          image:         { type: text }", `${columns}\n          image: text`),
      { file: "m" },
    )
      .diagnostics.filter(({ code }) => code === "foreign-id-without-rule")
      .map(({ message }) => message.split(" ")[0]);
  expect(warned("          approver_user_id: text?")).toEqual(['"approver_user_id"']);
  for (const fine of [
    "superuser_id: text",
    "user_id_hash: text",
    "owner_id: text",
    "approver_user_id: bigint",
    "ssh_key_user: text",
  ])
    expect(warned(`          ${fine}`)).toEqual([]);
  const beside = "      power_users: { columns: { power_user_id: { type: nanoid, key: true } } }";
  expect(
    warned(
      "          boss_power_user_id: text",
      good.replace("      ssh_keys:\n", `${beside}\n      ssh_keys:\n`),
    ),
  ).toEqual([]);
});

describe("ignores", () => {
  const compile = (text: string) => compileMesh(text, { file: "mesh.yaml" });

  const isWarned = (scenario: string) =>
    / - warning /.test(readFileSync(join(ROOT, scenario, "expected.txt"), "utf8"));

  test("silence each warning of the scenarios above its line, and keep the reason", () => {
    const silenced = under("test/scenarios/diagnostics")
      .filter(isWarned)
      .flatMap((path) => {
        const text = readMesh(join(path, "mesh.yaml"));
        const { diagnostics, ignored } = compile(text);
        const warned = diagnostics.filter(
          ({ severity, code }) => severity === "warning" && code !== "unused-ignore",
        );
        const lines = text.split("\n");
        for (const { code, start } of warned.toReversed())
          lines.splice(start.line - 1, 0, `# mesh-ignore ${code}: because of ${code}`);
        const codes = warned.map(({ code }) => code);
        const after = compile(lines.join("\n"));
        expect(after.diagnostics.filter(({ code }) => codes.includes(code))).toEqual([]);
        expect(after.ignored.map(({ ignored: why }) => why).slice(ignored.length)).toEqual(
          codes.map((code) => `because of ${code}`),
        );
        return codes;
      });
    expect(new Set(silenced).size).toBeGreaterThan(15);
  });

  test("also a warning that is not among the hundred that are listed", () => {
    const types = Array.from({ length: 150 }, (_, at) => `  T${at}: { at: string }\n`);
    const silent = types.map((line) => line.replace("\n", "  # mesh-ignore unused-type: later\n"));
    const text = (lines: readonly string[]) => `mesh: m\nservices: {}\ntypes:\n${lines.join("")}`;
    expect(compile(text(types)).diagnostics.at(-1)).toMatchObject({ code: "more-mistakes", count: 50 });
    expect(compile(text(silent))).toMatchObject({ diagnostics: [], ignored: { length: 150 } });
  });

  test("of hooks are judged by who has looked at them", () => {
    const text = readMesh("mesh.yaml").replace(
      "  compute:\n    source",
      "  compute: # mesh-ignore missing-hook: another module has them\n    source",
    );
    const { diagnostics, locateWarnings } = compile(text);
    expect(diagnostics).toEqual([]);
    expect(locateWarnings([]).left).toMatchObject([{ code: "unused-ignore" }]);
    const finding = { code: "missing-hook", message: "m", path: ["services", "compute"] };
    expect(locateWarnings([{ ...finding, severity: "warning" }])).toMatchObject({
      left: [],
      ignored: [{ ignored: "another module has them" }],
    });
    expect(locateWarnings([finding]).left.map(({ severity }) => severity)).toEqual(["error", "warning"]);
  });
});
