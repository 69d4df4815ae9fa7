import type { MigrationText } from "../../migrations/migration-text.js";
import { relation } from "../../migrations/sql-names.js";
import { openRender, type Templates } from "../../templates.js";

/** Prints a view with a template of `templates/sql`, by its bare name, without its last line break. */
export type Render = (template: string, view: object) => string;

export function openSqlRender(templates: Templates): Render {
  const render = openRender(templates);
  return (name, view) => render(`sql/${name}.hbs`, view).trimEnd();
}

/** How the statements of one file are printed. */
export interface Printing {
  readonly render: Render;
  /** A table of the model as SQL names it. */
  readonly relation: (table: string) => string;
  /** An index of a table as SQL names it once it is there: it is in the table's schema. */
  readonly index: (table: string, name: string) => string;
}

export function openPrinting(render: Render, places: MigrationText["places"]): Printing {
  const at = (table: string) => places.get(table);
  return {
    render,
    relation: (name) => relation({ name, at: at(name) }),
    index(table, name) {
      const place = at(table);
      return relation({ name, at: place && { ...place, table: name } });
    },
  };
}
