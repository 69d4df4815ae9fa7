import type { TemplateDelegate } from "handlebars";
import { loadHandlebars, loadHandlebarsRuntime, loadPrecompiled } from "./on-demand.js";

/** Text of each template by its path under `templates/`, as the cli has read them: `docs/README.md.hbs`. */
export type Templates = Readonly<Record<string, string>>;

/** Fills the template of that path with a view. */
export type Render = (path: string, view: object) => string;

const known = new WeakMap<Templates, Map<string, TemplateDelegate>>();

/**
 * Templates loop and print: no escaping (nothing here is HTML), no helpers, and a field that the view
 * lacks throws instead of printing nothing. Each is compiled once.
 */
export function openRender(templates: Templates): Render {
  const compiled = known.get(templates) ?? new Map<string, TemplateDelegate>();
  known.set(templates, compiled);
  return (path, view) => {
    const template = compiled.get(path) ?? compile(templates, path);
    compiled.set(path, template);
    return template(view);
  };
}

function compile(templates: Templates, path: string): TemplateDelegate {
  const text = templates[path];
  if (text === undefined) throw new Error(`template "${path}" is missing`);
  const ready = loadPrecompiled(path);
  if (ready?.text === text) {
    const { template, COMPILER_REVISION } = loadHandlebarsRuntime();
    // A later Handlebars may have been installed than that of the build.
    if (ready.main.compiler[0] === COMPILER_REVISION) return template(ready.main);
  }
  return loadHandlebars().compile(text, { strict: true, noEscape: true, knownHelpersOnly: true });
}
