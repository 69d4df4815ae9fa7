import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPeer } from "./peers/install.js";
import { type Row, row } from "./row.js";
import type { Section } from "./section.js";
import { syntheticMesh } from "./synthetic-mesh.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MESH = join(ROOT, "generator/bin/mesh.js");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

export const typecheck: Section = {
  name: "typecheck",
  about: `The type check of everything that is emitted, and the generator's own time, against Modelina, the generator of AsyncAPI, on the document
that \`mesh export asyncapi\` prints of the same mesh. Modelina emits a class for each payload, and no validators, tables, publishers, consumers or migrations. Both are
whole processes, checked by the same compiler.`,
  forms: ["full"],
  measure: async ({ by, roundsOfMany }) => {
    const services = by({ smoke: 5, short: 25, full: 250 });
    const size = `${(services * 4).toLocaleString("en-US")} events`;
    const modelina = await installPeer("modelina", { "@asyncapi/modelina": "5.10.1" });
    const folder = mkdtempSync(join(tmpdir(), "mesh-bench-types-"));
    try {
      writeMesh(folder, services);
      const [ours, peers, emitted, peersEmitted]: [number[], number[], number[], number[]] = [[], [], [], []];
      for (let round = 0; round < roundsOfMany; round += 1) {
        rmSync(join(folder, "generated"), { recursive: true, force: true });
        mkdirSync(join(folder, "generated"));
        emitted.push(seconds(() => run(folder, MESH, "generate")));
        ours.push(seconds(() => run(folder, TSC, "-p", ".")));
        if (modelina === undefined) continue;
        rmSync(join(folder, "peer"), { recursive: true, force: true });
        const document = run(folder, MESH, "export", "asyncapi");
        writeFileSync(join(folder, "mesh.json"), document);
        const env = { DOCUMENT: join(folder, "mesh.json"), OUT: join(folder, "peer") };
        const { seconds: taken } = await modelina.run<{ seconds: number }>("modelina.mjs", env);
        peersEmitted.push(taken);
        peers.push(seconds(() => run(folder, TSC, "-p", "tsconfig.peer.json")));
      }
      return rowsOf(size, { ours, peers, emitted, peersEmitted });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Taken {
  readonly ours: readonly number[];
  readonly peers: readonly number[];
  readonly emitted: readonly number[];
  readonly peersEmitted: readonly number[];
}

function rowsOf(size: string, { ours, peers, emitted, peersEmitted }: Taken): readonly Row[] {
  const beside = (what: string, samples: readonly number[]) =>
    samples.length === 0 ? {} : { yardstick: { what, samples } };
  return [
    row({
      what: `type check of what is emitted, ${size}`,
      unit: "s",
      samples: ours,
      ...beside("of what Modelina emits", peers),
      // A quarter of what a peer's took when the goal was set.
      goal: { of: "value", atMost: 14.1 / 4 },
    }),
    row({
      what: `generate, ${size}`,
      unit: "s",
      samples: emitted,
      ...beside("Modelina", peersEmitted),
      ...(peersEmitted.length > 0 && { goal: { of: "ratio", atMost: 1 } as const }),
    }),
  ];
}

function writeMesh(folder: string, services: number): void {
  writeFileSync(join(folder, "mesh.yaml"), syntheticMesh({ services, eventsPerService: 4 }));
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const options = {
    target: "ES2023",
    module: "ESNext",
    moduleResolution: "Bundler",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
  };
  const config = (include: string) => JSON.stringify({ compilerOptions: options, include: [include] });
  writeFileSync(join(folder, "tsconfig.json"), config("generated"));
  writeFileSync(join(folder, "tsconfig.peer.json"), config("peer"));
}

function run(folder: string, program: string, ...words: readonly string[]): string {
  return execFileSync(process.execPath, [program, ...words], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 256 * 1_024 ** 2,
  });
}

function seconds(work: () => unknown): number {
  const started = performance.now();
  work();
  return (performance.now() - started) / 1_000;
}
