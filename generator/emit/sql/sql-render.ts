import type { MigrationText } from "../../migrations/migration-text.js";
import { relation } from "../../migrations/sql-names.js";
import { withMeshSchema } from "../../quote/sql.js";
import { openRender, type Templates } from "../../templates.js";

/** Prints a view with a template of `templates/sql`, by its bare name, without its last line break. */
export type Render = (template: string, view: object) => string;

/** By templates and schema: each is compiled once, however many databases there are. */
const opened = new WeakMap<Templates, Map<string, Render>>();

/** `schema`: where the mesh keeps its tables; templates call it `mesh`. */
export function openSqlRender(templates: Templates, schema: string): Render {
  const renders = opened.get(templates) ?? new Map<string, Render>();
  opened.set(templates, renders);
  const render = renders.get(schema) ?? openNamed(templates, schema);
  renders.set(schema, render);
  return render;
}

function openNamed(templates: Templates, schema: string): Render {
  const named = Object.entries(templates).map(
    ([path, text]) => [path, text.replaceAll(/\bmesh\.(?!yaml\b)(?=[a-z{])/g, `${schema}.`)] as const,
  );
  const render = openRender(Object.fromEntries(named));
  return (name, view) => withMeshSchema(render(`sql/${name}.hbs`, view), schema).trimEnd();
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
