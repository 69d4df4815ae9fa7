import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

/*
 * Measured is what production runs: the runtime as `npm run build` has compiled it. tsx would compile it so that each function is given
 * its name whenever it is made, which costs a tenth of a consumer's time.
 */
if (isMainThread) register(import.meta.url);

const RUNTIME = new URL("../runtime/", import.meta.url).href;

/** A hook of module.register: a module of the runtime that the bench names by its place is the compiled one. */
export function resolve(specifier, context, next) {
  if (!specifier.startsWith(".") || context.parentURL === undefined) return next(specifier, context);
  const { href } = new URL(specifier, context.parentURL);
  const path = href.startsWith(RUNTIME) ? href.slice(RUNTIME.length) : "dist/";
  return path.startsWith("dist/")
    ? next(specifier, context)
    : { url: `${RUNTIME}dist/${path}`, shortCircuit: true };
}
