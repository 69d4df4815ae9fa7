import { tryMesh } from "./try-mesh.js";

/*
 * Tries the meshes that it is sent, one at a time, in the folder that it was started in. That it hangs shows to its parent.
 */

process.on("message", (seed: number) => {
  tryMesh(seed).then(
    (tried) => process.send?.(tried),
    (error: unknown) => {
      process.stderr.write(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(70);
    },
  );
});
