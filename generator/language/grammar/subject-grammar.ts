import { type FieldType, fieldTypeNames } from "@meshwright/runtime/column-types";
import { changeNames, operations } from "../../vocabulary/changes.js";
import { foreignFieldType } from "../foreign-types.js";
import type { NodeOf } from "../node.js";
import { choice, dictionary, either, key, list, mapping, type OpenShape, requiredKey } from "../shape.js";
import { isTypeName, type TypeName } from "../type-name.js";
import {
  columnName,
  columnPath,
  eventName,
  fieldName,
  subjectTemplate,
  tableName,
  text,
  typeName,
} from "../words.js";
import { conditionShape } from "./condition-grammar.js";

const operation = choice("change of a row", operations);

const jsonSchema: OpenShape = {
  kind: "open",
  schema: {
    type: "object",
    description: "JSON Schema 2020-12 of the field.",
    properties: {
      optional: { type: "boolean", description: "May be absent or null.", default: false },
      type: { enum: ["string", "integer", "number", "boolean", "array", "object"] },
      description: { type: "string" },
      const: { description: "Its only value: of a field that no column fills, what it always shows." },
      format: { type: "string", description: "What a text is, for whoever reads the schema: not checked." },
      $ref: { type: "string", description: "A type of `types`, by its name." },
    },
  },
};

const fieldType = either(
  choice<FieldType | TypeName>("field type", fieldTypeNames, {
    code: "unknown-type",
    forms: {
      examples: ["Money"],
      pattern: "[A-Z][A-Za-z0-9]*",
      parse: (written) => (isTypeName(written) ? written : undefined),
    },
    suffixes: ["[]?", "[]", "?"],
    foreign: foreignFieldType,
  }),
  jsonSchema,
);

/** The fields of a type. */
export const fieldsShape = dictionary(fieldName, fieldType);

const mappedField = mapping(
  "a mapped field",
  {
    from: requiredKey(
      "What fills it, where that is not the column of its name: another column (`restaurant_id`), what a column held before the update (`old.price`), or a column of the row that one references (`buyer_id.name`), as it is then.",
      columnPath,
    ),
    type: key("Its type. By default that of the column, optional where the column may be null.", fieldType),
  },
  {
    foreign: {
      const:
        'a column fills it or a constant: write "const" or "from". What the column has to hold for the event is said by "when"',
    },
  },
);

const filledField = either(fieldType.short, either(mappedField, fieldType.full));

const nestedFields = mapping("an object of fields", {
  fields: requiredKey(
    "The fields of the object, each filled as one of the payload is.",
    dictionary(fieldName, filledField, 1),
  ),
  type: key(
    "A type of `types` that the object is: a field that says no type has the one that it has there. By default a type of its own.",
    typeName,
  ),
});

const payloadShape = dictionary(fieldName, either(fieldType.short, either(nestedFields, filledField.full)));

const emitShape = mapping("an emit", {
  table: requiredKey("The owner's table whose rows imply the event.", tableName),
  on: key("The change of a row that it tells of.", either(operation, list(operation, 1))),
  at: key(
    "Instead of `on`: the column with the moment at which the row means the event, a timestamp, timestamptz or date. Told once for each value that is written, also of one that is past by then; one without a time zone is in UTC, a date begins at midnight. What has changed by then changes nothing: the message shows the row as it is at the moment.",
    columnName,
  ),
  unless: key("Beside `at`: what the row must not hold at the moment, or nothing is told.", conditionShape),
  id: key(
    "Column that holds the id of the event's entity, where it is not the table's key: a like whose events are those of its comment (`comment_id`). A row where it is NULL tells nothing.",
    columnName,
  ),
  of: key(
    "Columns of which an update must change one, instead of the payload's. Beside it `when` says what the row holds then, also if it held it before.",
    list(columnName, 1),
  ),
  when: key(
    "What the row must have come to hold, or beside `at` holds at the moment: a value, one of a list, or `{ null: true }` and `{ null: false }`.",
    conditionShape,
  ),
});

export const subjectShape = mapping("a subject", {
  event: requiredKey("Name of the event: its type, schema and validator.", eventName),
  description: key("When it happens.", text),
  emit: key("Written to the outbox by the transaction that changes the row.", emitShape),
  change: key(
    "What the event says of its entity. By default what `emit` implies, else what the action is called.",
    choice("change of an entity", changeNames),
  ),
  subject: key(
    "Of an external service: what NATS calls it, where that is not `service.entity.{id}.action`. `{id}` is the token with the entity's id, `*` any token, a final `>` any rest.",
    subjectTemplate,
  ),
  type: key(
    "Of an external service with CloudEvents: their `type`, where several events share a subject. Messages of other types are passed over.",
    text,
  ),
  id: key(
    "Of an external service whose subject has no `{id}`: the field that holds the entity's id.",
    fieldName,
  ),
  event_id: key(
    "Of an external service without an envelope: the field that tells its events apart. By default the header `Nats-Msg-Id`, else the place in the stream.",
    fieldName,
  ),
  payload: key(
    "Fields beside `metadata`, in the order of the wire: a type (`string`, `string?` is optional, `string[]` a list), a type of `types` (`Money`, `Money?`, `Money[]`), a JSON Schema, or what fills them: `{ from: column }`, `{ const: value }`, `{ fields: … }`.",
    payloadShape,
  ),
});

export type EmitNode = NodeOf<typeof emitShape>;
/** What a field is. */
export type FieldNode = NodeOf<typeof fieldType>;
export type PayloadNode = NodeOf<typeof payloadShape>;
export type PayloadFieldNode = NonNullable<PayloadNode["entries"][number]["node"]>;
export type MappedFieldNode = NodeOf<typeof mappedField>;
export type NestedFieldsNode = NodeOf<typeof nestedFields>;
