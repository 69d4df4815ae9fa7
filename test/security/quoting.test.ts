import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { compileMesh } from "../../generator/compile.js";
import { renderDiagnostics } from "../../generator/diagnostics/render.js";
import { natsText } from "../../generator/quote/nats.js";
import { literal } from "../../generator/quote/sql.js";
import { terminalText } from "../../generator/terminal/paint.js";
import { splitStages } from "../../runtime/schema/stages.js";
import { createLogOutput, type LogTarget } from "../../runtime/service/log-output.js";
import { compile } from "../support/compile.js";
import { emitAll, migrationsOf } from "../support/emitted-files.js";
import { ATTACKS, UNSEEN } from "../support/hostile-texts.js";
import { withoutPicture } from "../support/readme-picture.js";
import { sourceAll } from "../support/sourced-env.js";

/*
 * Each reader of what is generated or printed gets a text as that reader quotes it: nothing in it is executed,
 * obeyed or taken for a line of the file's own.
 */

/** A mesh that says the text wherever mesh.yaml takes one. */
function meshSaying(text: string): string {
  return stringify({
    mesh: "texts",
    description: text,
    services: {
      shop: {
        description: text,
        database: "shop_db",
        publishes: ["shop.*"],
        environment: {
          SET: { default: text, description: text },
          NEEDED: { required: true, example: text, description: text },
        },
      },
    },
    databases: {
      shop_db: {
        tables: {
          orders: {
            description: text,
            columns: {
              id: { type: "nanoid", key: true, description: text },
              state: { type: "text", default: text },
            },
          },
        },
      },
    },
    subjects: {
      "shop.order.{id}.made": {
        event: "OrderMade",
        description: text,
        emit: { table: "orders", on: "insert", when: { state: text } },
        payload: { id: "nanoid", state: { type: "string", description: text } },
      },
    },
  });
}

const all = await Promise.all(
  ATTACKS.map(async (text) => ({ text, files: await emitAll(compile(meshSaying(text))) })),
);
const cases = all.map(({ text, files }) => [JSON.stringify(text).slice(0, 60), text, files] as const);

test(".env.example sets what it names, and executes nothing", () => {
  const sourced = sourceAll(all.map(({ files }) => files[".env.example"] ?? ""));
  for (const [at, { text }] of all.entries()) {
    expect(sourced[at]?.ran, text).toBe("");
    expect(sourced[at]?.variables).not.toHaveProperty("pwned");
    if (!UNSEEN.test(text) || text.includes("\r")) expect(sourced[at]?.variables.NEEDED, text).toBe(text);
  }
});

describe("no file holds what a terminal obeys or an editor hides", () => {
  test.each(cases)("%s", (_, text, files) => {
    for (const [path, written] of Object.entries(files)) {
      const exempt = path === ".env.example" && text.includes("\r");
      if (!exempt) expect(UNSEEN.exec(written)?.[0], path).toBeUndefined();
    }
  });
});

describe("a migration stays one transaction, and what it says of itself is the generator's", () => {
  test.each(cases)("%s", (_, _text, files) => {
    for (const { name, text } of migrationsOf(files)) {
      expect(splitStages({ sql: text }), name).toHaveLength(1);
      const said = text
        .split("\n")
        .filter((line) => /^-- (follows|after|transaction|older releases|model): /.test(line));
      expect(
        said.filter((line) => !line.startsWith("-- model: ")),
        name,
      ).toHaveLength(2);
    }
  });
});

describe("README.md is of the generator's headings, tables and links alone", () => {
  const plain = all.find(({ text }) => text === "x".repeat(3_000))?.files["README.md"] ?? "";
  const frame = (markdown: string) =>
    markdown
      .split("\n")
      .map((line) =>
        /^\|/.test(line)
          ? "|".repeat(line.split(/(?<!\\)\|/).length)
          : /^(?:#|<!--|-)/.test(line)
            ? line
            : "",
      )
      .join("\n")
      .replaceAll(/\n+/g, "\n");

  test.each(cases)("%s", (_, _text, files) => {
    const written = withoutPicture(files["README.md"] ?? "");
    expect(frame(written)).toBe(frame(withoutPicture(plain)));
    const outside = written
      .replaceAll(/<\/?code>/g, "")
      .replace(/^<!--.*-->/, "")
      .replaceAll(/`[^`\n]*`/g, "");
    expect(outside).not.toMatch(
      /<|(?<!\\)\](?:\(|\[|:)(?!schemas\/|plan\.json|\.env\.example|nats\.conf|roles\.sql|monitoring)/,
    );
  });
});

test("a constant of SQL stands on one line, where no checkout changes its line breaks", () => {
  expect(ATTACKS.map(literal).filter((sql) => /[\r\n]/.test(sql))).toEqual([]);
});

test("nats.conf: a text within quotes ends where it ends", () => {
  for (const text of ATTACKS) {
    const quoted = `"${natsText(text)}"`;
    expect(quoted).toMatch(/^"(?:[^"\\\p{Cc}]|\\["\\]|\\x[0-9a-f]{2})*"$/u);
  }
});

describe("terminals", () => {
  test("show what mesh.yaml says wrongly, and obey none of it", () => {
    for (const text of ATTACKS) {
      const source = meshSaying(text).replace("publishes:", `${JSON.stringify(text)}: 1\n    publishes:`);
      const { diagnostics } = compileMesh(source, { file: "mesh.yaml" });
      const shown = terminalText(renderDiagnostics(diagnostics), true);
      expect(shown.replaceAll("\t", "")).not.toMatch(UNSEEN);
      expect(Math.max(...shown.split("\n").map((line) => line.length)), text).toBeLessThan(1_200);
    }
  });

  test("keep our own colours, and no others", () => {
    expect(terminalText("\u001b[31mred\u001b[0m", true)).toBe("\\u001b[31mred\\u001b[0m");
  });
});

test("a line of the log is JSON that says the same, without what a terminal obeys", () => {
  const written: string[] = [];
  const target = {
    write: (line: string) => written.push(line),
    on: () => target,
    writable: true,
    writableLength: 0,
  };
  const log = createLogOutput(target as unknown as LogTarget, { notice: String });
  for (const msg of ATTACKS) log.write(`${JSON.stringify({ msg })}\n`);
  expect(written.map((line) => JSON.parse(line).msg)).toEqual(ATTACKS);
  expect(written.filter((line) => UNSEEN.test(line))).toEqual([]);
});
