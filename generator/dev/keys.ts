import { digestText } from "@meshwright/runtime";
import type { Call } from "../model/mesh.js";
import { makeKey } from "./state.js";

/** Who holds which key in this run. */
export interface DevKeys {
  /** Names of all variables that hold a key: none is inherited from the caller's environment. */
  readonly variables: readonly string[];
  /** What one service is given: the keys that it sends, and the digests of the keys that others send to it. */
  of(service: string): NodeJS.ProcessEnv;
}

export interface DevKeyOptions {
  readonly operatorKey: string;
  /** Names of external services. They get the keys of their callers themselves; where one runs elsewhere, its owner chooses the key. */
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
