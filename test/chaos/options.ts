import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

export interface ChaosOptions {
  readonly rounds: number;
  readonly seed: number;
  /** The first round to run: a round's plan depends on the seed and its number alone. */
  readonly from: number;
  /** Three brokers, streams with three replicas. */
  readonly cluster: boolean;
  /** Starts no round after this time. */
  readonly minutes: number | undefined;
  /** Instead of rounds: load without faults, for so many minutes. */
  readonly soak: number | undefined;
  /** Writes per second. */
  readonly rate: number;
  /** Ids that users share: the fewer, the quicker one is deleted and created again. */
  readonly users: number;
  /** How long the mesh may take to become quiescent. */
  readonly quiescentMs: number;
  /** Only these kinds of faults. */
  readonly only: readonly string[] | undefined;
  /** Ends after so many rounds with violations: what they left behind may cause the next ones. */
  readonly patience: number;
  readonly json: boolean;
  /** Keeps the folder with logs and data. */
  readonly keep: boolean;
}

export const USAGE = `npm run chaos [-- options]
  --rounds N     rounds to run (10)
  --seed S       seed of faults and writes (random, and printed)
  --from N       number of the first round (1)
  --cluster      three brokers as a JetStream cluster, streams with three replicas
  --minutes M    start no round after M minutes
  --rate R       writes per second (80)
  --users N      ids that users share (24): with few, each is deleted and created again all the time
  --quiet S      seconds that the mesh may take to become quiescent (60)
  --only A,B     only these kinds of faults
  --patience N   end after N rounds with violations (3)
  --soak M       no faults: M minutes of steady load, memory measured
  --json         print the summary as JSON
  --keep         keep logs and data
`;

export function readOptions(args: readonly string[]): ChaosOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      seed: { type: "string" },
      from: { type: "string" },
      cluster: { type: "boolean" },
      minutes: { type: "string" },
      rate: { type: "string" },
      users: { type: "string" },
      quiet: { type: "string" },
      only: { type: "string" },
      patience: { type: "string" },
      soak: { type: "string" },
      json: { type: "boolean" },
      keep: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return "help";
  return {
    rounds: number("rounds", values.rounds) ?? 10,
    seed: number("seed", values.seed) ?? randomInt(1, 1_000_000),
    from: number("from", values.from) ?? 1,
    cluster: values.cluster ?? false,
    minutes: number("minutes", values.minutes),
    soak: number("soak", values.soak),
    rate: number("rate", values.rate) ?? 80,
    users: number("users", values.users) ?? 24,
    quiescentMs: (number("quiet", values.quiet) ?? 60) * 1_000,
    only: values.only?.split(","),
    patience: number("patience", values.patience) ?? 3,
    json: values.json ?? false,
    keep: values.keep ?? false,
  };
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`--${name} is "${text}"; it is a number above 0`);
  return value;
}
