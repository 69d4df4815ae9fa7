import type { Position } from "../source/text.js";

/** What a reviewer is shown at lines of a file. */
export interface Annotation {
  readonly level: "error" | "warning" | "note";
  /** What kind of thing it is: the code of a diagnostic. */
  readonly rule: string;
  readonly title: string;
  readonly text: string;
  readonly file: string;
  /** undefined: it is about the whole file. */
  readonly at: { readonly start: Position; readonly end: Position } | undefined;
  /** Why nobody need look at it; such a one is listed, and not shown. */
  readonly ignored?: string | undefined;
  /** For programs. */
  readonly properties?: Readonly<Record<string, unknown>>;
}

const COMMANDS = { error: "error", warning: "warning", note: "notice" } as const;

/** Workflow commands, which GitHub shows as annotations at their lines. */
export function toWorkflowCommands(annotations: readonly Annotation[]): string {
  return annotations
    .filter(({ ignored }) => ignored === undefined)
    .map(({ level, title, text, file, at }) => {
      const place = at && {
        line: at.start.line,
        col: at.start.column,
        endLine: at.end.line,
        endColumn: at.end.column,
      };
      const properties = Object.entries({ file, ...place, title });
      const said = properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
      return `::${COMMANDS[level]} ${said.join(",")}::${escapeData(text)}`;
    })
    .join("\n");
}

/** A line break ends a command, and a percent sign begins an escape. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

export interface SarifRule {
  readonly id: string;
  readonly shortDescription?: { readonly text: string };
  readonly fullDescription?: { readonly text: string };
  readonly defaultConfiguration?: { readonly level: Annotation["level"] };
}

/** SARIF 2.1.0. `rules`: those that occur, each once. */
export function toSarif(
  annotations: readonly Annotation[],
  { version, rules }: { readonly version: string; readonly rules: readonly SarifRule[] },
) {
  const indexOf = new Map(rules.map(({ id }, index) => [id, index]));
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "meshwright", version, rules } },
        columnKind: "utf16CodeUnits",
        results: annotations.map(({ level, rule, text, file, at, ignored, properties }) => ({
          ruleId: rule,
          ruleIndex: indexOf.get(rule),
          level,
          message: { text },
          locations: [{ physicalLocation: { artifactLocation: { uri: toUri(file) }, ...regionOf(at) } }],
          ...(ignored !== undefined && { suppressions: [{ kind: "inSource", justification: ignored }] }),
          ...(properties !== undefined && { properties }),
        })),
      },
    ],
  };
}

/** A relative reference whose path is the file's: `#`, `?` and a colon would make another thing of it. */
function toUri(file: string): string {
  return file.split("/").map(encodeURIComponent).join("/");
}

function regionOf(at: Annotation["at"]) {
  if (at === undefined) return {};
  const { start, end } = at;
  return {
    region: {
      startLine: start.line,
      startColumn: start.column,
      endLine: end.line,
      endColumn: end.column,
    },
  };
}
