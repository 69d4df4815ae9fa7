import type { Event, JsonSchema, Table } from "../../model/mesh.js";
import { createSchema, patchSchema } from "../json-schema/body.js";
import { METADATA_SCHEMA, payloadProperties, requiredFields } from "../json-schema/event.js";
import { rulesSchema, type Writing } from "../json-schema/rules.js";
import { compileValidator, LINEAR_PATTERN } from "../validators/compile-validator.js";
import { CODE_POINTS, EQUAL, IS_MULTIPLE, WITH_METADATA } from "../validators/support.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

interface Body {
  /** `validateNewUser` */
  readonly name: string;
  readonly schema: JsonSchema;
}

/** The validators of the request bodies of a table's REST resource. */
export function bodyValidators(table: Table): { readonly create: Body; readonly patch: Body } {
  const { create, patch } = table.names;
  return {
    create: { name: `validate${create}`, schema: createSchema(table) },
    patch: { name: `validate${patch}`, schema: patchSchema(table) },
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
    const schema = rulesSchema({ table, events, writing });
    return schema === undefined ? [] : [{ writing, name: `rulesOf${table.names[writing]}`, schema }];
  });
}

interface Exported {
  readonly name: string;
  readonly type: (imports: Imports) => string;
  /** A JavaScript expression. */
  readonly expression: string;
}

/** Where ajv's output stands: nobody reads it, so no diff shows it. */
export const COMPILED = "validators.compiled";

export interface ValidatorsSource {
  /** The head of the file, and what goes below it. */
  readonly head: SourceText;
  readonly body: string;
}

/**
 * validators.compiled.ts: what ajv makes of the schemas of events and rows, so that a service compiles and evaluates nothing at run
 * time. events.ts and tables.ts name what is in it.
 */
export function validatorsSource(
  events: readonly Event[],
  { served, owned }: { readonly served: readonly Table[]; readonly owned: readonly Table[] },
): ValidatorsSource {
  const exported = [
    ...events.map(eventSchema),
    ...served.flatMap((table) => Object.values(bodyValidators(table))).map(rowValidator),
    ...owned.flatMap((table) => rulesValidators(table, events)).map(rowValidator),
  ];
  const imports = gatherImports();
  if (exported.some(({ expression }) => expression.includes(`= ${LINEAR_PATTERN}(`))) {
    imports.value(RUNTIME, LINEAR_PATTERN);
  }
  // Within the module they have names of their own: an event may be called as what the code itself uses, such as Object.
  const lines = exported.map(
    ({ name, type, expression }) =>
      `const $${name}: ${type(imports)} = ${expression};\nexport { $${name} as ${name} };`,
  );
  return {
    head: {
      comments: [
        "// @generated The output of ajv, from ../schemas and the columns of tables.",
        "// @ts-nocheck -- plain JavaScript, but for the types of what is exported.",
        "// biome-ignore-all lint: ajv standalone output",
        "// biome-ignore-all assist: the order of the schemas",
      ],
      imports,
      statements: [],
    },
    body: `${[lines.join("\n"), ...support(events, lines)].join("\n\n")}\n`,
  };
}

function eventSchema(event: Event): Exported {
  const payload = compileValidator({ properties: payloadProperties(event), required: requiredFields(event) });
  const fields = JSON.stringify(event.payload.map(({ name }) => name));
  return {
    name: event.name,
    type: (imports) =>
      `${imports.type(RUNTIME, "MessageSchema")}<${imports.type("./events.js", event.name)}>`,
    expression: `{name: ${JSON.stringify(event.name)}, fields: ${fields}, validate: withMetadata(${payload})}`,
  };
}

/** Of what is written, under the names of the wire or of columns. */
function rowValidator({ name, schema }: Body | Rules): Exported {
  return {
    name,
    type: (imports) => `${imports.type(RUNTIME, "Validator")}<object>`,
    expression: compileValidator(schema),
  };
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
