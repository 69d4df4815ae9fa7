import { digestText } from "@meshwright/runtime";
import type { Call } from "../model/mesh.js";
import { makeKey } from "./state.js";

/** Who holds which key in this run. */
export interface DevKeys {
  /** Every variable with a key: none of them is inherited. */
  readonly variables: readonly string[];
  /** What one service is given: the keys that it shows, and of those that it knows others by the digests. */
  of(service: string): NodeJS.ProcessEnv;
}

export interface DevKeyOptions {
  readonly operatorKey: string;
  /** Names of services written by hand: these compare with the key itself, and where they run elsewhere, it is theirs to say. */
  readonly external: ReadonlySet<string>;
}

/** A new key for each pair. No service holds one that opens more than it may open itself. */
export function makeKeys(calls: readonly Call[], { operatorKey, external }: DevKeyOptions): DevKeys {
  const keys = new Map(
    calls.map(({ callee, keyVariable }) => {
      const given = external.has(callee) ? process.env[keyVariable] : undefined;
      return [keyVariable, given || makeKey()] as const;
    }),
  );
  const keyOf = ({ keyVariable }: Call) => keys.get(keyVariable) ?? "";
  return {
    variables: ["OPERATOR_KEY", "SERVICE_KEY", ...keys.keys()],
    of(service) {
      const shows = calls.filter(({ caller }) => caller === service);
      const knows = calls.filter(({ callee }) => callee === service);
      const isExternal = external.has(service);
      return {
        ...(isExternal ? {} : { OPERATOR_KEY: digestText(operatorKey) }),
        ...Object.fromEntries(
          knows.map((call) => [call.keyVariable, isExternal ? keyOf(call) : digestText(keyOf(call))]),
        ),
        ...Object.fromEntries(shows.map((call) => [call.keyVariable, keyOf(call)])),
      };
    },
  };
}
