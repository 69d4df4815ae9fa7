import {
  type ColumnType,
  columnTypeForms,
  columnTypeNames,
  parseColumnType,
} from "@meshwright/runtime/column-types";
import { foreignColumnType } from "../foreign-types.js";
import { choice } from "../shape.js";

/** How the type of a column is read. */
export const typeOptions = {
  code: "unknown-type",
  forms: {
    examples: columnTypeForms,
    pattern: "varchar\\(\\d+\\)|numeric\\(\\d+(, ?\\d+)?\\)|[a-z]+(\\([\\d, ]+\\))?\\[\\]",
    parse: parseColumnType,
  },
  foreign: foreignColumnType,
} as const;

export const columnType = choice<ColumnType>("column type", columnTypeNames, typeOptions);
