/* Loaded before a program (node --require): when it ends, the packages that it has loaded stand in the file that LOADED names. */
const { writeFileSync } = require("node:fs");

process.on("exit", () => {
  const packages = Object.keys(require.cache).flatMap(
    (path) => /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1] ?? [],
  );
  writeFileSync(process.env.LOADED, JSON.stringify([...new Set(packages)]));
});
