import type { Wire } from "../../simulator/broker/index.js";

export interface ScriptedWire extends Wire {
  /** Labels of the requests that wait, in the order of the calls. */
  waiting(): readonly string[];
  /** Carries the first waiting request with this label, and lets its caller go on. */
  perform(what: string): Promise<void>;
  /** Carries the waiting request at this index. */
  performAt(place: number): Promise<void>;
  /** Carries requests until none waits. */
  performAll(): Promise<void>;
}

/** A wire that carries nothing until the test says so. */
export function scriptedWire(): ScriptedWire {
  const crossings: { readonly what: string; readonly run: () => void }[] = [];
  const performAt = async (place: number) => {
    const [crossing] = crossings.splice(place, 1);
    if (!crossing) throw new Error(`no crossing waits at ${place}`);
    crossing.run();
    await settled();
  };
  return {
    cross: (what, work) =>
      new Promise((resolve, reject) => {
        const run = () => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        };
        crossings.push({ what, run });
      }),
    waiting: () => crossings.map(({ what }) => what),
    performAt,
    async perform(what) {
      const place = crossings.findIndex((crossing) => crossing.what === what);
      if (place === -1) {
        throw new Error(`"${what}" does not wait, only ${JSON.stringify(crossings.map((one) => one.what))}`);
      }
      await performAt(place);
    },
    async performAll() {
      await settled();
      for (let count = 0; crossings.length > 0; count += 1) {
        if (count > 10_000) throw new Error("the crossings do not end");
        await performAt(0);
      }
    },
  };
}

/** Resolves when everything that needs no timer and no request has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}
