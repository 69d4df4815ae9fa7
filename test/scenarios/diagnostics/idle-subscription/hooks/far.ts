// What it exports is not to be seen from here.
export { hooks as farHooks } from "../src/hooks.js";
