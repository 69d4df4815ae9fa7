import { readFileSync } from "node:fs";

/*
 * The lexer and the parser of yaml are chains of generators, each word of the text yielded through all of them: a third of the time that they
 * take. Here their methods call each other, and note what they would yield.
 */
export const yieldNothing = {
  name: "yield-nothing",
  setup({ onLoad }) {
    onLoad({ filter: /\/yaml\/browser\/dist\/parse\/(lexer|parser)\.js$/ }, ({ path }) => ({
      contents: withoutGenerators(readFileSync(path, "utf8"), path.endsWith("lexer.js") ? "Lexer" : "Parser"),
    }));
  },
};

function withoutGenerators(text, name) {
  const called = text
    .replace(/^ {4}\*(?=\w+\()/gm, "    ")
    .replaceAll("yield* this.", "this.")
    .replace(/\byield ([^;*]+);/g, "this.found.push($1);");
  const code = called.replace(/\/\*[\s\S]*?\*\//g, "");
  if (/\byield\b/.test(code)) throw new Error(`yaml's ${name} yields in a way that bundle.js does not know`);
  return `${called}
for (const method of ["lex", "next", "end"]) {
  const call = ${name}.prototype[method];
  if (call === undefined) continue;
  ${name}.prototype[method] = function (...words) {
    if (this.found === undefined || this.found.length > 0) this.found = [];
    call.apply(this, words);
    return this.found;
  };
}
`;
}
