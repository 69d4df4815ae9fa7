/** By which Node runs a program of the bench, as `npm run bench` does: see compiled.js. */
export const NODE_ARGUMENTS = ["--import", "tsx", "--import", new URL("compiled.js", import.meta.url).href];
