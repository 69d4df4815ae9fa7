import type { ServiceDefinition } from "../definition/service-definition.js";
import type { KnownKeys } from "../http/authenticate.js";
import { checkKeys, isShort, keyDigests, shownKey } from "../values/access-keys.js";
import { calledServices } from "./called-services.js";
import type { Environment } from "./secret-files.js";

export interface KeyReading {
  readonly known: KnownKeys;
  /** By variable, the key to send. */
  readonly shown: Environment;
  readonly problems: readonly string[];
  /** Keys that work, and that are less safe than they could be. */
  readonly warnings: readonly string[];
}

export const OPERATOR_KEY = "OPERATOR_KEY";
export const METRICS_KEY = "METRICS_KEY";
/** Of METRICS_KEY: who reads /metrics needs no key. No key: it is far too short. */
const OPEN = "open";

/** The keys that this service accepts, and those that it sends. */
export function readKeys(definition: ServiceDefinition, env: Environment): KeyReading {
  const callers = definition.callers ?? [];
  const isOpen = env[METRICS_KEY] === OPEN;
  const known = [
    ...callers.map(({ keyVariable }) => keyVariable),
    OPERATOR_KEY,
    ...(isOpen ? [] : [METRICS_KEY]),
  ];
  const shown = [...new Set(calledServices(definition).map(({ keyVariable }) => keyVariable))];
  const malformed = [
    ...shown.flatMap((name) => checkKeys(name, env[name], "shown")),
    ...known.filter((name) => !shown.includes(name)).flatMap((name) => checkKeys(name, env[name], "known")),
  ];
  const held = [...new Set([...known, ...shown])].flatMap((name) => {
    const value = env[name];
    return value === undefined || malformed.length > 0 ? [] : [{ name, value, digests: keyDigests(value) }];
  });
  return {
    known: {
      operator: held.find(({ name }) => name === OPERATOR_KEY)?.digests ?? [],
      metrics: isOpen ? OPEN : (held.find(({ name }) => name === METRICS_KEY)?.digests ?? []),
      callers: callers.flatMap(({ name, keyVariable, grants }) => {
        const digests = held.find((one) => one.name === keyVariable)?.digests;
        return digests === undefined ? [] : [{ name, digests, grants }];
      }),
    },
    shown: Object.fromEntries(
      shown.flatMap((name) => (env[name] === undefined ? [] : [[name, shownKey(env[name])]])),
    ),
    problems: [
      ...malformed,
      ...pairsOf(held)
        .filter(([one, other]) => one.name === OPERATOR_KEY || other.name === OPERATOR_KEY)
        .map(
          ([one, other]) =>
            `${one.name === OPERATOR_KEY ? other.name : one.name} is the OPERATOR_KEY as well; whoever is shown it could do everything`,
        ),
    ],
    warnings: [
      ...pairsOf(held).map(
        ([one, other]) => `${one.name} and ${other.name} are one key: who has it may do what both may`,
      ),
      ...held
        .filter(({ value }) => isShort(value))
        .map(({ name }) => `${name} is short enough to be guessed; "openssl rand -base64 32" makes one`),
    ],
  };
}

interface Held {
  readonly name: string;
  readonly digests: readonly Buffer[];
}

/** Pairs of variables that share a key. */
function pairsOf<H extends Held>(held: readonly H[]): readonly (readonly [H, H])[] {
  return held.flatMap((one, at) =>
    held
      .slice(at + 1)
      .filter((other) => one.digests.some((key) => other.digests.some((its) => its.equals(key))))
      .map((other) => [one, other] as const),
  );
}
