import Handlebars from "handlebars";

/** Text of each template by its path under `templates/`: `sql/create_table.hbs`. */
export type Templates = Readonly<Record<string, string>>;

/** Prints a view with a template of `templates/sql`, by its bare name. */
export type Render = (template: string, view: object) => string;

/** Each template is compiled once per run: a mesh of a thousand services prints tens of thousands of views. */
export function openRender(templates: Templates): Render {
  const compiled = new Map<string, Handlebars.TemplateDelegate>();
  return (name, view) => {
    const template = compiled.get(name) ?? compile(templates, name);
    compiled.set(name, template);
    return template(view).trimEnd();
  };
}

/** No escaping, no helpers; a field that the view lacks throws instead of printing nothing. */
function compile(templates: Templates, name: string): Handlebars.TemplateDelegate {
  const text = templates[`sql/${name}.hbs`];
  if (text === undefined) throw new Error(`template "sql/${name}.hbs" is missing`);
  return Handlebars.compile(text, { strict: true, noEscape: true, knownHelpersOnly: true });
}
