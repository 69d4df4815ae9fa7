import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileMesh } from "../../generator/compile.js";
import { renderDiagnostic } from "../../generator/diagnostics/render.js";
import { readMesh } from "../support/compile.js";

const reference = readMesh();

describe("no text makes the compiler throw", () => {
  const lines = reference.split("\n");
  const tokens = reference.match(/[\w./-]+|[{}[\]:,&*"-]/g) ?? [];
  const index = fc.nat({ max: lines.length - 1 });

  const mutation = fc.oneof(
    fc.record({ kind: fc.constant("delete" as const), at: index, count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant("truncate" as const), at: fc.nat({ max: reference.length }) }),
    fc.record({
      kind: fc.constant("swap" as const),
      from: fc.nat({ max: tokens.length - 1 }),
      to: fc.oneof(
        fc.constantFrom("", "null", "[]", "{}", "7", "true", "*x", "&x", "<<", "\t", "'", "|"),
        fc.constantFrom(...tokens),
      ),
    }),
    fc.record({ kind: fc.constant("indent" as const), at: index, by: fc.integer({ min: -4, max: 4 }) }),
  );
  type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never;

  function mutate(text: string, change: Mutation): string {
    const rows = text.split("\n");
    switch (change.kind) {
      case "delete":
        rows.splice(change.at, change.count);
        return rows.join("\n");
      case "truncate":
        return text.slice(0, change.at);
      case "swap": {
        const token = tokens[change.from] ?? "";
        const at = text.indexOf(token, Math.floor((text.length * change.from) / tokens.length));
        return at === -1 ? text : text.slice(0, at) + change.to + text.slice(at + token.length);
      }
      case "indent": {
        const row = rows[change.at] ?? "";
        rows[change.at] = change.by > 0 ? " ".repeat(change.by) + row : row.slice(-change.by);
        return rows.join("\n");
      }
    }
  }

  function holds(text: string): void {
    const { mesh, diagnostics } = compileMesh(text, { file: "mesh.yaml" });
    expect(mesh !== undefined || diagnostics.length > 0).toBe(true);
    for (const diagnostic of diagnostics) expect(renderDiagnostic(diagnostic)).toMatch(/ - (error|warning) /);
  }

  test("the reference mesh, damaged", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (changes) => {
        holds(changes.reduce(mutate, reference));
      }),
      { numRuns: 400 },
    );
  });

  test("any text", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), holds), { numRuns: 300 });
  });
});
