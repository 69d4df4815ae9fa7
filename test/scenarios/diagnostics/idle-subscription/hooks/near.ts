// What a package exports is not to be seen from here either.
export { hooks as nearHooks } from "@acme/hooks";
