import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import Handlebars from "handlebars";

/*
 * The templates as they are published: the texts of all in one file, since to open sixty takes as long as to read a mesh;
 * and of each what Handlebars makes of it, so that a command that prints it loads the half of Handlebars that runs templates, and not
 * its compiler.
 */

const source = "../templates";
const folder = "dist/templates";
rmSync(folder, { recursive: true, force: true });
const texts = {};
for (const name of readdirSync(source, { recursive: true }).filter((path) => path.endsWith(".hbs"))) {
  const path = name.replaceAll(sep, "/");
  // Plain line ends, whatever a checkout has made of them.
  const text = readFileSync(join(source, name), "utf8").replaceAll("\r\n", "\n");
  texts[path] = text;
  // As generator/templates.ts does where there is no such file.
  const main = Handlebars.precompile(text, { strict: true, noEscape: true, knownHelpersOnly: true });
  const file = join(folder, `${path}.cjs`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `exports.text = ${JSON.stringify(text)};\nexports.main = ${main};\n`);
}
writeFileSync(join(folder, "texts.json"), JSON.stringify(texts));
