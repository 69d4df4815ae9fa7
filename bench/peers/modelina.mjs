import { readFileSync } from "node:fs";
import { TS_COMMON_PRESET, TypeScriptFileGenerator } from "@asyncapi/modelina";

/* Prints how long Modelina takes for the AsyncAPI document DOCUMENT, its own start-up included, into the folder OUT. */

const { DOCUMENT, OUT } = process.env;
const presets = [{ preset: TS_COMMON_PRESET, options: { marshalling: true } }];
const generator = new TypeScriptFileGenerator({ modelType: "class", moduleSystem: "ESM", presets });
const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
const models = await generator.generateToFiles(document, OUT, { exportType: "named" }, true);
if (models.length === 0) throw new Error("Modelina emitted nothing");
// performance.now() counts from the start of the process.
process.stdout.write(`${JSON.stringify({ seconds: performance.now() / 1_000 })}\n`);
