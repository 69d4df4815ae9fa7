import { readFileSync } from "node:fs";
import { Ajv } from "ajv";

/*
 * The schema of SARIF 2.1.0 as SchemaStore has it. Its formats are held by who reads the log: ajv would not know them.
 */

const {
  $schema: _,
  id: __,
  ...schema
} = JSON.parse(readFileSync(new URL("sarif-2.1.0.schema.json", import.meta.url), "utf8"));

const validate = new Ajv({
  strict: false,
  validateFormats: false,
  validateSchema: false,
  unicodeRegExp: false,
}).compile(schema);

/** What the schema has against the log; empty: nothing. */
export function sarifMistakes(log: unknown): readonly string[] {
  // As it travels: without what is undefined.
  if (validate(JSON.parse(JSON.stringify(log)))) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
