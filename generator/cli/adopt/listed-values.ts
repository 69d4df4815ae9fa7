import type { CatalogColumn } from "@meshwright/runtime";
import { type ColumnType, kindOf } from "@meshwright/runtime/column-types";

/** The only values of a column: the labels of its enum, or what a CHECK of the form `column IN (…)` lists. undefined: there is no such list. */
export function listedValues(
  column: CatalogColumn,
  type: ColumnType,
): readonly (string | number)[] | undefined {
  if (column.values !== null) return column.values;
  const kind = kindOf(type);
  if (kind !== "text" && kind !== "whole number") return undefined;
  for (const check of column.checks) {
    const values = readList(check);
    if (values?.every((value) => (typeof value === "string") === (kind === "text"))) return values;
  }
  return undefined;
}

/** As PostgreSQL prints it: `CHECK ((status = ANY (ARRAY['open'::text, 'paid'::text])))`, or `CHECK ((status = 'open'::text))` of one. */
const LISTS =
  /^CHECK \(\(+(?:"(?:[^"]|"")+"|\w+)\)?(?:::[a-z ]+)? = (?:ANY \(\(?ARRAY\[((?:'(?:[^']|'')*'|[^'\]])*)\]\)?(?:::[a-z ]+\[\])?\)|([^()]*))\)+$/;
/** `'open'::text`, `('a'::character varying)::text`, `5`, `'-3'::integer`, `(-3)`. */
const VALUE = /\(*(?:'((?:[^']|'')*)'|(-?\d+))((?:\)|::[a-z ]+)*)/y;

function readList(check: string): readonly (string | number)[] | undefined {
  const [, several, one] = LISTS.exec(check) ?? [];
  const text = several ?? one;
  if (text === undefined) return undefined;
  const values: (string | number)[] = [];
  for (let at = 0; at < text.length; ) {
    VALUE.lastIndex = at;
    const found = VALUE.exec(text);
    if (found === null) return undefined;
    const [, quoted, digits, cast = ""] = found;
    const isNumber = quoted === undefined || /::(smallint|integer|bigint)\b/.test(cast);
    values.push(isNumber ? Number(quoted ?? digits) : quoted.replaceAll("''", "'"));
    at = VALUE.lastIndex;
    if (at < text.length && !text.startsWith(", ", at)) return undefined;
    at += 2;
  }
  return values.length > 0 && new Set(values).size === values.length ? values : undefined;
}
