import { describe, expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { annotate } from "../../../generator/diagnostics/annotate.js";
import { toSarif, toWorkflowCommands } from "../../../generator/diagnostics/annotation.js";

const TEXT = `mesh: m
services:
  auth: { database: auth_db, publishes: [auth.*] }   # mesh-ignore unused-pattern: 100% of it is to come
databases:
  auth_db: { tables: { users: { columns: { user_id: { type: nanoid, key: true, default: "a,b:%\\n" } } } } }
`;
const { diagnostics, ignored } = compileMesh(TEXT, { file: "a folder/mesh.yaml" });
const annotations = [...ignored, ...diagnostics].map(annotate);

describe("annotations of diagnostics", () => {
  test("of a workflow are one line each, whatever the file holds, and say nothing of what is ignored", () => {
    const commands = toWorkflowCommands(annotations).split("\n");
    expect(commands).toHaveLength(1);
    expect(commands[0]).toMatch(
      /^::warning file=a folder\/mesh\.yaml,line=5,col=\d+,endLine=5,endColumn=\d+,title=default-once::only one row .*%25.*%0Aremove "default"/,
    );
    expect(toWorkflowCommands([])).toBe("");
  });

  test("are SARIF with their rules, and with the reasons of what is ignored", () => {
    const rules = [{ id: "default-once" }, { id: "unused-pattern" }];
    const [run] = toSarif(annotations, { version: "1.2.3", rules }).runs;
    expect(run?.tool.driver).toEqual({ name: "meshwright", version: "1.2.3", rules });
    expect(run?.results).toMatchObject([
      {
        ruleId: "unused-pattern",
        ruleIndex: 1,
        level: "warning",
        suppressions: [{ kind: "inSource", justification: "100% of it is to come" }],
      },
      {
        ruleId: "default-once",
        ruleIndex: 0,
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: "a%20folder/mesh.yaml" },
              region: { startLine: 5, endLine: 5 },
            },
          },
        ],
      },
    ]);
    expect(run?.results[1]).not.toHaveProperty("suppressions");
  });

  test("of a whole file have no place in it", () => {
    const whole = {
      level: "warning",
      rule: "r",
      title: "r",
      text: "t",
      file: "hooks/a.ts",
      at: undefined,
    } as const;
    expect(toWorkflowCommands([whole])).toBe("::warning file=hooks/a.ts,title=r::t");
    expect(toSarif([whole], { version: "1", rules: [] }).runs[0]?.results[0]?.locations).toEqual([
      { physicalLocation: { artifactLocation: { uri: "hooks/a.ts" } } },
    ]);
  });
});
