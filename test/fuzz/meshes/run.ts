import { parseArgs } from "node:util";
import { fuzzMeshes } from "./fuzz.js";

/*
 * `npm run fuzz`: mutated meshes through every command that reads one. `--count 20000`, `--from 1`, `--processes 2`.
 */

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "20000" },
    from: { type: "string", default: "1" },
    processes: { type: "string", default: "2" },
  },
});
const [from, count, processes] = [values.from, values.count, values.processes].map(Number) as [
  number,
  number,
  number,
];
const { tried, valid, findings } = await fuzzMeshes({
  from,
  count,
  processes,
  onFinding: ({ seed, base, command, problem }) =>
    process.stdout.write(`seed ${seed} of ${base}: ${command}: ${problem}\n`),
  onTried: (done) => {
    if (done % 1_000 === 0) process.stderr.write(`${done} meshes\n`);
  },
});
process.stdout.write(
  `${tried} meshes from seed ${from}, ${valid} of them valid: ${findings.length} findings\n`,
);
process.exit(findings.length === 0 ? 0 : 1);
