import type { OptionalKind, PropertySignatureStructure } from "ts-morph";
import type { Event, Field, NamedType } from "../../model/mesh.js";
import { namesIn } from "../../model/schema-references.js";
import { propertyName } from "../print/layout.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports } from "./imports.js";
import type { Interface, SourceText } from "./printer.js";
import { schemaType } from "./types.js";

/** types.ts: the objects that the payloads of several services may share. */
export function typesSource(types: readonly NamedType[]): SourceText {
  return { imports: gatherImports(...types.map(({ name }) => name)), statements: types.map(typeInterface) };
}

function typeInterface({ name, fields }: NamedType): Interface {
  return {
    name,
    docs: docs(`The type \`${name}\` of payloads.`),
    properties: fields.map(fieldProperty),
  };
}

export function fieldProperty(field: Field): OptionalKind<PropertySignatureStructure> {
  return {
    name: propertyName(field.name),
    type: schemaType(field.named ?? field.schema),
    isReadonly: true,
    hasQuestionToken: field.optional,
    docs: docs(field.description ?? ""),
  };
}

/** For a file in a service's folder. They come before all else that it imports, so that they keep their names. */
export function importTypes(events: readonly Event[], imports: Imports): void {
  for (const { payload } of events)
    for (const { named } of payload)
      for (const name of named === undefined ? [] : namesIn(named)) imports.type("../types.js", name);
}
