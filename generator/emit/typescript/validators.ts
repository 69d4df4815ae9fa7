import type { Event, JsonSchema, Table } from "../../model/mesh.js";
import { createSchema, patchSchema } from "../json-schema/body.js";
import { METADATA_SCHEMA, payloadProperties, requiredFields } from "../json-schema/event.js";
import { rulesSchema, type Writing } from "../json-schema/rules.js";
import { compileValidator, LINEAR_PATTERN } from "../validators/compile.js";
import { CODE_POINTS, EQUAL, IS_MULTIPLE, WITH_METADATA } from "../validators/support.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

interface Body {
  /** `validateNewUser` */
  readonly name: string;
  readonly type: string;
  readonly schema: JsonSchema;
}

/** The validators of the request bodies of a table's REST resource. */
export function bodyValidators(table: Table): { readonly create: Body; readonly patch: Body } {
  const { create, patch } = table.names;
  return {
    create: { name: `validate${create}`, type: create, schema: createSchema(table) },
    patch: { name: `validate${patch}`, type: patch, schema: patchSchema(table) },
  };
}

interface Rules {
  readonly writing: Writing;
  /** `rulesOfNewUser` */
  readonly name: string;
  readonly schema: JsonSchema;
}

/** What the payloads of a table's events demand of the values that a row is written with; none where that is nothing. */
export function rulesValidators(table: Table, events: readonly Event[]): readonly Rules[] {
  return (["create", "patch"] as const).flatMap((writing) => {
    const schema = rulesSchema(table, events, writing);
    return schema === undefined ? [] : [{ writing, name: `rulesOf${table.names[writing]}`, schema }];
  });
}

/** The whole file, in the two parts that it is made of. */
export interface ValidatorsSource {
  readonly head: SourceText;
  /** ajv's output. It goes round ts-morph: printing it there would cost more than compiling it. */
  readonly body: string;
}

/** validators.ts: precompiled by ajv, so that a service compiles and evaluates nothing at run time. */
export function validatorsSource(
  events: readonly Event[],
  { served, owned }: { readonly served: readonly Table[]; readonly owned: readonly Table[] },
): ValidatorsSource {
  const imports = gatherImports();
  const exported = [
    ...events.map((event) => eventValidator(event, imports)),
    ...served
      .flatMap((table) => Object.values(bodyValidators(table)))
      .map((body) => bodyValidator(body, imports)),
    ...owned
      .flatMap((table) => rulesValidators(table, events))
      .map((rules) => rulesValidator(rules, imports)),
  ];
  return {
    head: {
      comments: [
        "// @ts-nocheck -- ajv standalone output is plain JavaScript; the annotated exports are its typed face.",
        "// biome-ignore-all lint: ajv standalone output",
      ],
      imports,
      statements: [],
    },
    body: `${[exported.join("\n"), ...support(events, exported)].join("\n\n")}\n`,
  };
}

function eventValidator(event: Event, imports: Imports): string {
  const type = imports.type("./events.js", event.name);
  const payload = compileValidator({ properties: payloadProperties(event), required: requiredFields(event) });
  return exportValidator(event.names.validator, type, `withMetadata(${payload})`, imports);
}

function bodyValidator({ name, type, schema }: Body, imports: Imports): string {
  return exportValidator(name, imports.type("./tables.js", type), compileValidator(schema), imports);
}

function rulesValidator({ name, schema }: Rules, imports: Imports): string {
  return exportValidator(name, "object", compileValidator(schema), imports);
}

function exportValidator(name: string, type: string, expression: string, imports: Imports): string {
  if (expression.includes(`= ${LINEAR_PATTERN}(`)) imports.value(RUNTIME, LINEAR_PATTERN);
  return `export const ${name}: ${imports.type(RUNTIME, "Validator")}<${type}> = ${expression};`;
}

/** What the exports call. It stands below what a reader looks for: functions are hoisted, and the rest is called later. */
function support(events: readonly Event[], exported: readonly string[]): string[] {
  const metadata = { type: "object", properties: { metadata: METADATA_SCHEMA }, required: ["metadata"] };
  const shared =
    events.length === 0 ? [] : [WITH_METADATA, `const metadata = ${compileValidator(metadata)};`];
  const text = [...exported, ...shared].join("\n");
  return [
    ...shared,
    ...(text.includes("= equal;") ? [EQUAL] : []),
    ...(text.includes("= codePoints;") ? [CODE_POINTS] : []),
    ...(text.includes("= isMultiple;") ? [IS_MULTIPLE] : []),
  ];
}
