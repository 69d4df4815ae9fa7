import type {
  ColumnSource,
  EventSymbol,
  FieldSymbol,
  FieldSource as SourceSymbol,
} from "../../language/symbols.js";
import { type Naming, wireName } from "../../vocabulary/namings.js";
import type { Field, FieldSource } from "../mesh.js";
import { anyJson } from "./any-json.js";
import { buildField, buildObject, type DefinitionOf, toJson } from "./build-field.js";
import { required } from "./invariant.js";

interface PayloadParts {
  readonly definitionOf: DefinitionOf;
  readonly naming: Naming;
  /** Its rows are those of the entity, which snapshots show. */
  readonly isOwn: boolean;
}

/** The fields of an event, in the order of the wire. */
export function buildPayload(event: EventSymbol, definitionOf: DefinitionOf): readonly Field[] {
  const parts = { definitionOf, naming: event.service?.naming ?? "columns", isOwn: event.id === undefined };
  return [...event.fields.values()].map((field) => buildPayloadField(field, parts));
}

function buildPayloadField(field: FieldSymbol, parts: PayloadParts): Field {
  const { source } = field;
  if (source?.kind === "object")
    return buildObject(field.name, {
      fields: source.fields.map((inner) => buildPayloadField(inner, parts)),
      type: source.type?.value,
      definitionOf: parts.definitionOf,
    });
  return buildField(field, {
    inherited: source !== undefined && "target" in source ? describing(source) : undefined,
    definitionOf: parts.definitionOf,
    source: source && buildSource(source, parts),
  });
}

function describing({ target }: ColumnSource): string | undefined {
  return target?.node?.get.description?.value;
}

function buildSource(
  source: Exclude<SourceSymbol, { kind: "object" }>,
  { naming, isOwn }: PayloadParts,
): FieldSource {
  switch (source.kind) {
    case "column":
      return {
        kind: source.kind,
        column: source.column,
        member: isOwn ? wireName(source.column, naming) : undefined,
      };
    case "old":
      return { kind: source.kind, column: source.column };
    case "referenced": {
      const table = required(source.of, `the table behind ${source.by}`);
      const type = required(source.target?.type, `the type of ${source.column}`);
      return {
        kind: source.kind,
        by: required(source.by, "a reference"),
        table: { name: table.name, at: table.at, key: table.key.map(({ name }) => name) },
        column: { name: source.column, type, anyJson: anyJson(type, table) },
      };
    }
    case "constant":
      return { kind: source.kind, value: toJson(source.value) };
    default:
      return source satisfies never;
  }
}
