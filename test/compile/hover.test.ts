import { join } from "node:path";
import { Project, ts } from "ts-morph";
import { expect, test } from "vitest";
import { ROOT } from "../support/compile.js";

/*
 * What an editor shows of generated code: types that follow from a description keep its doc comments, and are spelt out.
 */

const project = new Project({
  tsConfigFilePath: join(ROOT, "tsconfig.json"),
  skipAddingFilesFromTsConfig: true,
});

/** What is shown at the last use of a word. */
function hover(code: string, word: string) {
  const file = project.createSourceFile(join(ROOT, "hover.ts"), code, { overwrite: true });
  const service = project.getLanguageService().compilerObject;
  const info = service.getQuickInfoAtPosition(file.getFilePath(), code.lastIndexOf(word));
  return {
    comment: ts.displayPartsToString(info?.documentation),
    type: ts.displayPartsToString(info?.displayParts),
  };
}

test("a publisher's method has its event's doc comment, and takes its payload", () => {
  const { comment, type } = hover(
    `
import type { Tx } from "@meshwright/runtime";
import { authPublisher } from "./generated/auth/publisher.js";
declare const tx: Tx;
authPublisher(tx).userCreated;`,
    "userCreated",
  );
  expect(comment).toBe("New user registered. Implied by `users`.");
  expect(type).toMatch(/\(entityId: string, payload: .*UserCreated.*\) => Promise<void>$/);
});

test("what creates a row is shown with its columns", () => {
  const { comment, type } = hover(
    `
import type { NewSshKey } from "./generated/compute/tables.js";
export type Mine = NewSshKey;`,
    "NewSshKey",
  );
  expect(comment).toMatch(/^What creates a row of `ssh_keys`/);
  expect(type).toContain("readonly key_id?: string;");
  expect(type).toContain("readonly fingerprint: string;");
});
