import {
  type ColumnType,
  columnTypeForms,
  columnTypeNames,
  columnTypePattern,
  parseColumnType,
} from "@meshwright/runtime/column-types";
import { foreignColumnType } from "../foreign-types.js";
import { choice } from "../shape.js";

/** How the type of a column is read. */
export const typeOptions = {
  code: "unknown-type",
  forms: {
    examples: columnTypeForms,
    pattern: columnTypePattern,
    parse: parseColumnType,
  },
  foreign: foreignColumnType,
} as const;

export const columnType = choice<ColumnType>("column type", columnTypeNames, typeOptions);
