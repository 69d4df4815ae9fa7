import type { Service } from "../model/mesh.js";
import { type HeldPort, holdFreePort, holdPort } from "./servers/free-ports.js";

/** Where each service of this run listens, or is expected to. */
export interface ServicePorts {
  of(service: string): number;
  /** `http://127.0.0.1:8081` */
  address(service: string): string;
  /** Just before the service binds it. */
  release(service: string): Promise<void>;
  releaseAll(): Promise<void>;
}

/**
 * The declared ports, as far as nobody has them, else free ones. They are held until their services start, which may be
 * seconds later: two meshes that come up together must not choose the same. An external service is started by somebody else,
 * at any time, so its port is only chosen.
 */
export async function holdPorts(services: readonly Service[], onlyFree: boolean): Promise<ServicePorts> {
  const held = new Map<string, HeldPort>();
  for (const { name, http } of services) {
    const declared = onlyFree || http === undefined ? undefined : await holdPort(http.port);
    held.set(name, declared ?? (await holdFreePort()));
  }
  const portOf = (service: string) => {
    const port = held.get(service)?.port;
    if (port === undefined) throw new Error(`the mesh has no service "${service}"`);
    return port;
  };
  const waiting = new Map(held);
  const release = async (service: string) => {
    const port = waiting.get(service);
    waiting.delete(service);
    await port?.release();
  };
  for (const { name, external } of services) if (external) await release(name);
  return {
    of: portOf,
    address: (service) => `http://127.0.0.1:${portOf(service)}`,
    release,
    async releaseAll() {
      for (const service of [...waiting.keys()]) await release(service);
    },
  };
}
