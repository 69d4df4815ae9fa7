import type { Report } from "../diagnostics/report.js";
import type { Program } from "../language/program.js";
import type { FieldSymbol } from "../language/symbols.js";
import { toJson } from "../model/build/build-field.js";
import type { JsonSchema, JsonValue, Mesh } from "../model/mesh.js";
import { loadAjv } from "../on-demand.js";

/*
 * Constants within objects that say a type: whether the type's JSON Schema takes them. Asked of a mesh without mistakes, whose schemas stand
 * on their own.
 */

export function checkTypedConstants({ events }: Program, { types }: Mesh, report: Report): void {
  const fields = new Map(types.map((type) => [type.name, type.fields]));
  for (const event of events)
    for (const { source } of event.fields.values()) {
      if (source?.kind !== "object" || source.type === undefined) continue;
      const { value: type } = source.type;
      const schemas = new Map(fields.get(type)?.map(({ name, schema }) => [name, schema]));
      for (const field of source.fields)
        checkConstant(field, { type, schema: schemas.get(field.name) }, report);
    }
}

function checkConstant(
  { name, source }: FieldSymbol,
  { type, schema }: { readonly type: string; readonly schema: JsonSchema | undefined },
  report: Report,
): void {
  if (source?.kind !== "constant" || schema === undefined) return;
  const refusal = refusalOf(toJson(source.value), schema);
  if (refusal !== undefined)
    report("not-of-type", source.value.span, {
      type,
      reason: `"${name}" ${refusal}`,
      fix: "write a constant that the type takes, or change the type",
    });
}

/** What the schema says against the value. */
function refusalOf(value: JsonValue, schema: JsonSchema): string | undefined {
  const { Ajv2020 } = loadAjv();
  const ajv = new Ajv2020({ validateFormats: false, strict: false, logger: false, multipleOfPrecision: 9 });
  const validate = ajv.compile(schema);
  if (validate(value)) return undefined;
  const [error] = validate.errors ?? [];
  const { allowedValues, allowedValue } = (error?.params ?? {}) as {
    readonly allowedValues?: readonly JsonValue[];
    readonly allowedValue?: JsonValue;
  };
  const allowed = allowedValues ?? (allowedValue === undefined ? [] : [allowedValue]);
  if (allowed.length > 0) return `must be ${allowed.map((each) => JSON.stringify(each)).join(" or ")}`;
  return `${error?.instancePath === "" ? "" : `${error?.instancePath} `}${error?.message}`;
}
