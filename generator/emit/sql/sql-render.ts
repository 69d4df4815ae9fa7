import { openRender, type Templates } from "../../templates.js";

/** Prints a view with a template of `templates/sql`, by its bare name, without its last line break. */
export type Render = (template: string, view: object) => string;

export function openSqlRender(templates: Templates): Render {
  const render = openRender(templates);
  return (name, view) => render(`sql/${name}.hbs`, view).trimEnd();
}
