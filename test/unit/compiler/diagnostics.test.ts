import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { diagnosticsToJson, noPaint, renderDiagnostic } from "../../../generator/diagnostics/render.js";
import { editDistance, suggest } from "../../../generator/diagnostics/suggest.js";

const reference = readFileSync(new URL("../../../mesh.yaml", import.meta.url), "utf8");

describe("suggestions", () => {
  test.each([
    ["usr", "user", 1],
    ["paylaod", "payload", 1],
    ["", "abc", 3],
    ["same", "same", 0],
  ])("%s to %s is %i", (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
  });

  test("the nearest name is suggested, and none that differs too much", () => {
    expect(suggest("auth.usr.*", ["sfs.*", "auth.user.*"])).toBe("auth.user.*");
    expect(suggest("billing", ["auth", "sfs"])).toBeUndefined();
  });

  test("the distance is a metric that bounds itself", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe("rendering", () => {
  const [diagnostic] = compileMesh(
    reference.replace(
      "[auth.user.*]\n    http:\n      port: 8082",
      "[auth.usr.*]\n    http:\n      port: 8082",
    ),
    {
      file: "mesh.yaml",
    },
  ).diagnostics;
  if (diagnostic === undefined) throw new Error("the misspelt subscription was not found");

  test("points at line and column, with the way out and its place", () => {
    expect(renderDiagnostic(diagnostic)).toMatch(
      /^mesh\.yaml:\d+:18 - error unknown-subject: "sfs" subscribes to "auth\.usr\.\*", which no service publishes\n {2}\d+ \| {5}subscribes: \[auth\.usr\.\*\]\n {5}\| {18}\^{10}\n {2}hint: did you mean "auth\.user\.\*" \(mesh\.yaml:\d+:17\)\?\n$/,
    );
  });

  test("colour is the caller's", () => {
    const painted = renderDiagnostic(diagnostic, { ...noPaint, underline: (text) => `<u>${text}</u>` });
    expect(painted).toContain("<u>^^^^^^^^^^</u>");
  });

  test("programs get the data", () => {
    expect(diagnosticsToJson([diagnostic])[0]).toMatchObject({
      code: "unknown-subject",
      file: "mesh.yaml",
      severity: "error",
      column: 18,
      endColumn: 28,
    });
  });

  test("a long line is cut around the mistake", () => {
    const comment = " ".repeat(300);
    const [found] = compileMesh(`mesh: m\nservices: {${comment}a: 1 }\n`, { file: "m" }).diagnostics;
    const [, source = "", carets = ""] = found === undefined ? [] : renderDiagnostic(found).split("\n");
    expect(source.length).toBeLessThan(140);
    expect(source.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1)).toBe("1");
  });
});

test("mistakes come in the order of the file", () => {
  const broken = reference.replaceAll("type: text", "type: txt").replaceAll("on: insert", "on: insrt");
  const places = compileMesh(broken, { file: "mesh.yaml" }).diagnostics.map(
    ({ start }) => start.line * 1000 + start.column,
  );
  expect(places.length).toBeGreaterThan(20);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

/** Of the words of mesh.yaml every eighth is misspelt in turn; with MISSPELT_WORDS=all each of them. */
const EVERY = process.env.MISSPELT_WORDS === "all" ? 1 : 8;

test("one misspelt word is one diagnostic", { timeout: 240_000 }, () => {
  const words = [
    ...reference.replace(/#.*/g, (comment) => " ".repeat(comment.length)).matchAll(/[A-Za-z_][\w-]{2,}/g),
  ];
  const noisy = words
    .filter((_, index) => index % EVERY === 0)
    .flatMap(({ 0: word, index }) => {
      const text = `${reference.slice(0, index)}${word.charAt(0)}${word.slice(2)}${reference.slice(index + word.length)}`;
      const { diagnostics } = compileMesh(text, { file: "mesh.yaml" });
      return diagnostics.length > 1
        ? [diagnostics.map((diagnostic) => renderDiagnostic(diagnostic)).join("\n")]
        : [];
    });
  expect(noisy).toEqual([]);
});

test("a key without a value is as if it were not there", () => {
  const rule = "service: sfs, set_null: namespaces.owner_id";
  const { diagnostics } = compileMesh(reference.replace(rule, "service: sfs, set_null:"), {
    file: "mesh.yaml",
  });
  expect(diagnostics.map(({ code }) => code)).toEqual(["cascade-action"]);
});

describe("no hint leads back to what another one refuses", () => {
  const folder = new URL("../../scenarios/diagnostics/", import.meta.url);
  const mechanical = readdirSync(folder).flatMap((scenario) => {
    const text = readFileSync(new URL(`${scenario}/mesh.yaml`, folder), "utf8");
    return compileMesh(text, { file: "mesh.yaml" }).diagnostics.flatMap((diagnostic) => {
      const meant = /^(?:did you mean|write) "([^"]+)"/.exec(diagnostic.hint ?? "")?.[1];
      return meant === undefined || diagnostic.start.line !== diagnostic.end.line
        ? []
        : [{ scenario, text, diagnostic, meant }];
    });
  });

  test.each(mechanical)("$scenario: $meant", ({ text, diagnostic, meant }) => {
    const { start, end, code, line } = diagnostic;
    const written = line.slice(start.column - 1, end.column - 1);
    const lines = text.split("\n");
    const fixed = meant.startsWith("{") || !written.startsWith('"') ? meant : `"${meant}"`;
    lines[start.line - 1] = line.slice(0, start.column - 1) + fixed + line.slice(end.column - 1);
    const after = compileMesh(lines.join("\n"), { file: "mesh.yaml" }).diagnostics;
    const there = after.filter(
      (other) => other.start.line === start.line && other.start.column === start.column,
    );
    expect(there.map((other) => other.code)).not.toContain(code);
    for (const { hint } of there) expect(hint ?? "").not.toContain(`"${written.replaceAll('"', "")}"`);
  });

  test("there are such hints", () => {
    expect(mechanical.length).toBeGreaterThan(40);
  });

  const shop = readFileSync(new URL("valid/mesh.yaml", folder), "utf8");
  const emitted = "emit: { table: users, on: delete }";
  const marked = shop.replace(emitted, "emit: { table: users, on: update, when: { username: gone } }");
  const codes = (text: string) =>
    compileMesh(text, { file: "mesh.yaml" }).diagnostics.map(({ code }) => code);

  test("a deletion that only marks its row: both ways out are ways out", () => {
    const said = marked.replace("event: UserDeleted", "event: UserDeleted\n    change: delete");
    expect(codes(said)).toEqual(["conflicting-change"]);
    // "remove change": the rules are told of next, and their hint leads on to a deletion.
    expect(new Set(codes(marked))).toEqual(new Set(["cascade-not-on-deletion"]));
    expect(codes(marked.replace("on: update, when: { username: gone }", "on: delete"))).toEqual([]);
  });

  test("a rule on another event of the entity, where one tells of the deletion and where none does", () => {
    const wrong = shop.replaceAll("on: auth.user.deleted", "on: auth.user.updated");
    expect(new Set(codes(wrong))).toEqual(new Set(["cascade-not-on-deletion"]));
    expect(codes(wrong.replaceAll("on: auth.user.updated", "on: auth.user.deleted"))).toEqual([]);
  });
});
