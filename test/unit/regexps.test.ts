import { fileURLToPath } from "node:url";
import { RegExpParser } from "@eslint-community/regexpp";
import { Project, SyntaxKind } from "ts-morph";
import { expect, test } from "vitest";
import { isQuick } from "../../generator/rules/backtracking.js";

/*
 * Regular expressions of our own that read what strangers send: messages, requests, rows of a source, mesh.yaml. Each
 * takes JavaScript's engine no longer than the text is long: because it has nothing to choose there, which is shown, or
 * for the reason that stands here.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ROOMS = [
  "runtime",
  "generator/source",
  "generator/language",
  "generator/check",
  "generator/model",
  "generator/rules",
];
/** The simulator reads no untrusted texts. */
const INSIDE = ["simulator/"];

const ONE_START = "it can begin at one place of a run alone, and reads on without a choice";
const ALWAYS_FINDS = "it finds whatever comes, so that nothing is tried twice";
const OURS = "the text is our own";
const LAST_ONLY = "one loop, of which only the end is tried again";

const HOOKS = "hooks are code that runs: whoever writes them needs no slow text";

const REASONS: Readonly<Record<string, string>> = {
  "/\\\\[pP]\\{[^}]*\\}/g": OURS,
  "/\\b(on[A-Z]\\w*)\\s*[(:]/g": OURS,
  "/\\bexport\\s+(default\\b|\\{|\\*)/": OURS,
  "/\\bexport\\s+(default\\b|const\\s+\\w+Hooks\\b)/": OURS,
  "/-?\\d[\\d.eE+-]*/g": ALWAYS_FINDS,
  '/"(?:[^"\\\\]|\\\\.)*"/g': "the text was read as JSON before: its quotes are paired",
  '/"(?:[^"\\\\]|\\\\.)*"|-?\\b(?:NaN|Infinity)\\b/g':
    "it is one element of JSON, cut out by its quotes: they are paired",
  "/\\[\\d*\\]$/": ONE_START,
  "/\\s+/g": ALWAYS_FINDS,
  "/\\s+/": ALWAYS_FINDS,
  "/^([a-z][\\w -]*?) ?[(<]\\s*([^)>]*)[)>]?/": LAST_ONLY,
  "/^([a-z][a-z0-9_-]*)(?:\\.([a-z][a-z0-9_-]*))?\\.\\*$/": LAST_ONLY,
  "/:\\d{2}(\\.\\d+)?[+-]\\d{2}(:?\\d{2})?$/": ONE_START,
  "/[^A-Za-z0-9]+/": ALWAYS_FINDS,
  "/[^A-Za-z0-9]+/g": ALWAYS_FINDS,
  "/(?<!\\\\)(\\\\\\\\)*\\\\u(0000|d[89a-f])/i": ONE_START,
  "/^(?:\\{[\\s\\S]*\\}|-?[A-Za-z]+)$/": LAST_ONLY,
  "/^Key \\((.+?)\\)=\\(/": LAST_ONLY,
  '/^"(.*)"$/': LAST_ONLY,
  '/is still referenced from table "(.+?)"/': ONE_START,
  '/is not present in table "(.+?)"/': ONE_START,
  "/^\\S+\\.\\S+ /": "PostgreSQL's own sentence, which has spaces",
  '/^CREATE (?:UNIQUE )?INDEX CONCURRENTLY ("(?:[^"]|"")+"|\\w+) ON (?:("(?:[^"]|"")+"|\\w+)\\.)?/': OURS,
  "/^ALTER TABLE .+ NOT VALID;$/": OURS,
  "/^ALTER TABLE (.+) ADD CONSTRAINT .+? CHECK \\((.*)\\) NOT VALID;$/": OURS,
  "/\\bIS\\s+(?:NOT\\s+)?DISTINCT\\s+FROM\\b/gi": ONE_START,
  "/:( \\d+)?$/": ONE_START,
  "/'(?:[^']|'')*'/g": "the parser has read the text: its quotes are paired",
  "/^(?!.*\\{id\\}.*\\{id\\})[A-Za-z0-9_-]+(?:\\.(?:[A-Za-z0-9_-]+|\\*|\\{id\\}))*(?:\\.>)?$/":
    "the look ahead tries again from {id} alone, and a second one ends it; behind it dots part the tokens",
  "/^(?!generated(?:\\/|$))[\\w-][\\w.-]*(?:\\/[\\w-][\\w.-]*)*\\/?$/": "slashes part the names",
  "/^(?:([^.\\p{Cc}]+)\\.)?([^.\\p{Cc}]+)$/u": "a dot parts the names",
  "/^\\/([^/]*)(.*)$/": ALWAYS_FINDS,
  "/\\(.*$/": ALWAYS_FINDS,
  "/[-_]+/": ALWAYS_FINDS,
  "/^(.+)_TO_(.+)_KEY$/": OURS,
  "/^([^\\0]*\\/)?(node|npm|npx|yarn|pnpm|bun)/": OURS,
  "/^\\d+ \\(.*\\) \\S (\\d+)/s": OURS,
  "/\\bfrom\\s*[\"']([^\"']+)[\"']|\\bimport\\s*\\(?\\s*[\"']([^\"']+)[\"']/g": HOOKS,
  "/\\bexport\\b[^;\"'()]*\\bfrom\\s*[\"']/": HOOKS,
  "/\\b(?:import|export)\\s+type\\b[^;\"']*\\bfrom\\s*[\"'][^\"']*[\"']/g": HOOKS,
  "/(?:^|\\s)#+[ \\t]*mesh-ignore\\b(.*)$/": ONE_START,
  "/(to_reg(?:class|namespace)\\(|pg_notify\\()?'((?:[^']|'')*)'(::regnamespace)?|\"(?:[^\"]|\"\")*\"|\\bmesh(?=\\.[a-z_])|(?<=\\bSCHEMA (?:IF NOT EXISTS )?)mesh\\b|(?<=\\bLISTEN )mesh(?=_outbox\\b)/g":
    OURS,
  "/(?<!\\d)(?!(?:19|20)\\d\\d(?!\\d))\\d{4,}/": ONE_START,
  "/(?:^|[-_])(?=[0-9a-f]*\\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?:$|[-_])/":
    "dashes part the runs, and of each only the end is tried again",
  "/[a-z][-_]0*([1-9]\\d{1,2})$/": ONE_START,
  "/\\.\\d{6}0*[1-9]/": ONE_START,
  "/\\d+/g": ALWAYS_FINDS,
  "/-----BEGIN NATS USER JWT-----\\s+\\S+\\s+-+END NATS USER JWT-+[\\s\\S]*\\bSU[A-Z2-7]{56}\\b/": OURS,
  "/-----BEGIN [A-Z0-9 ]+-----/": OURS,
  "/^\\[(.+)\\]$/": LAST_ONLY,
  '/"(?:[^"]|"")*"|\\$(\\d+)/g': OURS,
  "/^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-[!-~]*)?$/": LAST_ONLY,
};
/** It reads the files of migrations. */
const OWN_FILES = new Set(["runtime/schema/split-statements.ts", "runtime/schema/custom-sql.ts"]);

interface Literal {
  readonly at: string;
  readonly text: string;
}

function literals(): readonly Literal[] {
  const project = new Project({ skipAddingFilesFromTsConfig: true, skipFileDependencyResolution: true });
  project.addSourceFilesAtPaths(ROOMS.map((room) => `${ROOT}${room}/**/*.ts`));
  return project.getSourceFiles().flatMap((file) => {
    const path = file.getFilePath().slice(ROOT.length);
    if (OWN_FILES.has(path) || INSIDE.some((folder) => path.startsWith(folder))) return [];
    return file
      .getDescendantsOfKind(SyntaxKind.RegularExpressionLiteral)
      .map((node) => ({ at: `${path}:${node.getStartLineNumber()}`, text: node.getText() }));
  });
}

function isShown(text: string): boolean {
  const [, source = "", flags = ""] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [];
  const parser = new RegExpParser({ ecmaVersion: 2025 });
  return isQuick(parser.parsePattern(source, 0, source.length, { unicode: flags.includes("u") }));
}

test("each regular expression runs in linear time, or says why it does", () => {
  const found = literals();
  expect(found.length).toBeGreaterThan(80);
  const slow = found.filter(({ text }) => !isShown(text) && REASONS[text] === undefined);
  const hint = "read on without a choice, or say above why a stranger's text cannot make it slow";
  expect(
    slow.map(({ at, text }) => `${at} ${text}`),
    hint,
  ).toEqual([]);
});
