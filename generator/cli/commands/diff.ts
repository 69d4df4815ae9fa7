import { type ChangeClass, classNames, FAILING, isChangeClass } from "../../compatibility/change-class.js";
import { compareMeshes } from "../../compatibility/compare-meshes.js";
import { compareSqlFolders } from "../../compatibility/own-sql-changes.js";
import { type DiffReport, isFailing, placeChanges } from "../../compatibility/report/placed-changes.js";
import { readTemplates } from "../../project/package.js";
import { UsageError } from "../../project/usage-error.js";
import { print, printJson } from "../../terminal/terminal.js";
import { askWithHooks } from "../ask/hooks-of-project.js";
import { tellRemarks } from "../ask/tell-remarks.js";
import { DIFF_PAINT } from "../diff/diff-paint.js";
import { type FormerMesh, readFolder, readFormerMesh } from "../diff/former-mesh.js";
import type { ExitCode } from "../exit-code.js";
import { printAnnotations } from "../print-annotations.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

export interface DiffOptions {
  readonly against: string;
  readonly failOn?: string;
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly github?: boolean;
  readonly markdown?: boolean;
}

/** Says what the edits since then mean to those who run what was made from it. */
export async function diff(options: DiffOptions): Promise<ExitCode> {
  const failOn = readClasses(options.failOn);
  const compilation = await compileForErrors();
  if (compilation.mesh === undefined) {
    reportDiagnostics(compilation.diagnostics, options.json);
    return 2;
  }
  const former = await readFormerMesh(options.against);
  const { mesh } = compilation;
  const templates = await readTemplates();
  const { answer, remarks } = await askWithHooks(mesh, (hooks) =>
    compareMeshes(former.mesh, mesh, { templates, hooks }),
  );
  const { changes, ...rest } = answer;
  const all = [...changes, ...compareSql(former, mesh.databases)];
  const placed = placeChanges({ changes: all }, compilation.placeAt, former.placeAt);
  const report: DiffReport = { against: options.against, changes: placed, failOn, ...rest };
  await printReport(report, options);
  tellRemarks(remarks);
  return placed.some((change) => isFailing(change, failOn)) ? 1 : 0;
}

function compareSql(former: FormerMesh, databases: FormerMesh["mesh"]["databases"]) {
  return databases.flatMap((database) => {
    const old = former.mesh.databases.find(({ name }) => name === database.name)?.sql;
    const before = old === undefined ? undefined : former.folder(old);
    if (before === undefined || database.sql === undefined) return [];
    return compareSqlFolders(database, before, readFolder(database.sql));
  });
}

async function printReport(report: DiffReport, options: DiffOptions): Promise<void> {
  if (options.json) {
    printJson((await import("../../compatibility/report/diff-json.js")).diffToJson(report));
  } else if (options.sarif || options.github) {
    const { annotateChange, changeRules } = await import("../../compatibility/report/annotate-change.js");
    const rules = options.sarif ? changeRules(report.changes) : undefined;
    await printAnnotations(report.changes.map(annotateChange), { sarif: rules });
  } else if (options.markdown) {
    print((await import("../../compatibility/report/diff-markdown.js")).diffToMarkdown(report));
  } else print((await import("../../compatibility/report/diff-text.js")).renderDiff(report, DIFF_PAINT));
}

function readClasses(text: string | undefined): readonly ChangeClass[] {
  if (text === undefined) return FAILING;
  if (text.trim() === "none") return [];
  return text.split(",").map((word) => {
    const name = word.trim();
    if (isChangeClass(name)) return name;
    throw new UsageError(`--fail-on takes ${classNames.join(", ")} or none, and not "${name}"`);
  });
}
