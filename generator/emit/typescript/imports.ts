import { fillLines, LINE_WIDTH } from "../print/layout.js";

/** Where generated code finds the runtime: its one public face. */
export const RUNTIME = "@meshwright/runtime";

/** What a file imports, gathered while its statements are made: asking for a name is what imports it. */
export interface Imports {
  /** The name by which the file knows what it imports: another one where its own is taken. */
  type(module: string, name: string): string;
  value(module: string, name: string): string;
  /** The module as a whole, under this name. */
  all(module: string, name: string): string;
  declarations(): readonly string[];
}

/** Of a module as a whole. */
const ALL = "*";

interface Imported {
  readonly name: string;
  readonly local: string;
  kind: "type" | "value";
}

/** `declared`: names that the file declares itself or knows without an import, which no import may hide. */
export function gatherImports(...declared: readonly string[]): Imports {
  const taken = new Set(declared);
  const modules = new Map<string, Map<string, Imported>>();
  const add = (module: string, name: string, wanted = name): Imported => {
    const names = modules.get(module) ?? new Map<string, Imported>();
    modules.set(module, names);
    const known = names.get(name);
    if (known !== undefined) return known;
    const imported: Imported = { name, local: freeName(wanted, taken), kind: "type" };
    taken.add(imported.local);
    names.set(name, imported);
    return imported;
  };
  return {
    type: (module, name) => add(module, name).local,
    value(module, name) {
      const imported = add(module, name);
      imported.kind = "value";
      return imported.local;
    },
    all(module, name) {
      const imported = add(module, ALL, name);
      imported.kind = "value";
      return imported.local;
    },
    declarations: () =>
      [...modules]
        .sort(([a], [b]) => compareModules(a, b))
        .map(([module, names]) => declare(module, [...names.values()])),
  };
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  return taken.has(name) ? freeName(`${name}_`, taken) : name;
}

function declare(module: string, names: readonly Imported[]): string {
  const whole = names.find(({ name }) => name === ALL);
  if (whole !== undefined) return `import * as ${whole.local} from "${module}";`;
  const isTypeOnly = names.every(({ kind }) => kind === "type");
  const specifiers = [...names]
    .sort((a, b) => compareNames(a.name, b.name))
    .map(({ name, local, kind }) => {
      const marked = !isTypeOnly && kind === "type" ? `type ${name}` : name;
      return local === name ? marked : `${marked} as ${local}`;
    });
  const opening = `import${isTypeOnly ? " type" : ""}`;
  const line = `${opening} { ${specifiers.join(", ")} } from "${module}";`;
  if (line.length <= LINE_WIDTH) return line;
  return `${opening} {\n  ${fillLines(specifiers, LINE_WIDTH - 2).join(",\n  ")},\n} from "${module}";`;
}

/** Packages, then the farthest relatives, then siblings: the order that the linter asks for. */
function compareModules(a: string, b: string): number {
  return distance(b) - distance(a) || compareNames(a, b);
}

function distance(module: string): number {
  return module.startsWith(".") ? module.split("../").length - 1 : Number.POSITIVE_INFINITY;
}

/** The linter's order of names: letter by letter, `A` before `a` before `B`; a run of digits as a number. */
function compareNames(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.match(/\d+|\D/g) ?? []);
  for (const [index, token] of (left ?? []).entries()) {
    const other = right?.[index];
    if (other === undefined) return 1;
    if (token !== other) return rank(token) < rank(other) ? -1 : 1;
  }
  return a.length - b.length;
}

/** Sorts as text: signs, then numbers by their length, then letters without their case, then by it. */
function rank(token: string): string {
  if (/\d/.test(token)) return `1${token.length.toString().padStart(4, "0")}${token}`;
  return `${/[A-Za-z]/.test(token) ? 2 : 0}${token.toLowerCase()}${/[A-Z]/.test(token) ? 0 : 1}`;
}
