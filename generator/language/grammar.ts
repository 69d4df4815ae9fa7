import { cascadeShape } from "./grammar/cascade-grammar.js";
import { databaseShape } from "./grammar/database-grammar.js";
import { deliveryShape, namingKey, serviceShape, streamShape } from "./grammar/service-grammar.js";
import { fieldsShape, subjectShape } from "./grammar/subject-grammar.js";
import type { NodeOf } from "./node.js";
import { dictionary, key, list, mapping, requiredKey } from "./shape.js";
import { databaseName, meshName, serviceName, subject, text, typeName } from "./words.js";

/** The language of mesh.yaml: the one place that knows its keys, and what each is for. */
export const meshShape = mapping(
  "a mesh",
  {
    mesh: requiredKey("Name of the mesh.", meshName),
    description: key("What the mesh is for; shown in the generated documents.", text),
    services: requiredKey(
      "The services by name; a name is the first token of the service's subjects.",
      dictionary(serviceName, serviceShape),
    ),
    databases: key(
      "The databases by name, each owned by one service.",
      dictionary(databaseName, databaseShape),
    ),
    subjects: key(
      "The subjects by template, `service.entity.{id}.action`, and the event on each.",
      dictionary(subject, subjectShape),
    ),
    types: key(
      "Objects that payloads share, by name: their fields are said as those of a payload are. Each is one type in TypeScript and one definition in the schemas. A table holds one in a `json` column.",
      dictionary(typeName, fieldsShape),
    ),
    naming: namingKey("of every service that does not say otherwise; an external one says it itself"),
    cascades: key("What the deletion of an entity does to rows of other services.", list(cascadeShape)),
    delivery: key("Defaults for every consumer.", deliveryShape),
    streams: key("Defaults for every stream.", streamShape),
  },
  { extensible: true },
);

export type MeshNode = NodeOf<typeof meshShape>;
export type ServiceNode = NodeOf<typeof serviceShape>;
export type DeliveryNode = NodeOf<typeof deliveryShape>;
export type StreamNode = NodeOf<typeof streamShape>;
export type DatabaseNode = NodeOf<typeof databaseShape>;
export type SubjectNode = NodeOf<typeof subjectShape>;
export type CascadeNode = NodeOf<typeof cascadeShape>;
export type { ColumnConditionNode, ConditionNode } from "./grammar/condition-grammar.js";
export type { ColumnNode, TableNode } from "./grammar/database-grammar.js";
export type {
  EmitNode,
  FieldNode,
  MappedFieldNode,
  NestedFieldsNode,
  PayloadFieldNode,
  PayloadNode,
} from "./grammar/subject-grammar.js";
export type { ViewColumnNode, ViewNode } from "./grammar/view-grammar.js";
