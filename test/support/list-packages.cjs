/* Loaded before a program (node --require): when it ends, the packages and files that it has loaded stand in the file that LOADED names. */
const { writeFileSync } = require("node:fs");

process.on("exit", () => {
  const files = Object.keys(require.cache);
  const packages = files.flatMap(
    (path) => /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1] ?? [],
  );
  writeFileSync(process.env.LOADED, JSON.stringify({ packages: [...new Set(packages)], files }));
});
