import type { Row } from "./row.js";

/**
 * How much is measured. `smoke` only shows that every row comes out, `short` ends within two minutes for all sections, `full` is
 * what docs/performance.md is written from.
 */
export const FORMS = ["smoke", "short", "full"] as const;
export type Form = (typeof FORMS)[number];

/** One part of the bench. Its rows are measured in turns with their yardsticks, and what was done is counted after each run. */
export interface Section {
  readonly name: string;
  /** What is compared with what, for docs/performance.md: one paragraph of Markdown. */
  readonly about: string;
  /** Forms that it belongs to; asked for by name it runs in each. Default: all. */
  readonly forms?: readonly Form[];
  readonly plots?: readonly PlotOf[];
  readonly measure: (bench: Bench) => Promise<readonly Row[]>;
}

/** A plot of the rows that name it: x is logarithmic, and each yardstick is a line of its own. */
export interface PlotOf {
  /** Its file is docs/performance/NAME.svg. */
  readonly name: string;
  readonly title: string;
  /** What the axes show, with their units. */
  readonly x: string;
  readonly y: string;
}

/** What a section is given. */
export interface Bench {
  readonly form: Form;
  /** How often value and yardstick take turns, warm-up not counted: 1, 2 or 5. */
  readonly rounds: number;
  /** For each of many sizes: 1, 2 or 3. */
  readonly roundsOfMany: number;
  /** The one of three that belongs to the form: numbers of events, sizes of batches. */
  by<T>(of: Readonly<Record<Form, T>>): T;
  /** PostgreSQL, which flushes every commit, and a broker: started on first use, stopped after the section. */
  servers(): Promise<Servers>;
}

export interface Servers {
  /** Of a superuser: each section makes databases of its own. */
  readonly postgresUrl: string;
  readonly natsUrl: string;
}

const ROUNDS: Readonly<Record<Form, number>> = { smoke: 1, short: 2, full: 5 };
const MANY = 3;

export function openBench(form: Form, servers: Bench["servers"]): Bench {
  const rounds = ROUNDS[form];
  return { form, rounds, roundsOfMany: Math.min(rounds, MANY), by: (of) => of[form], servers };
}

export const isIn =
  (form: Form) =>
  ({ forms = FORMS }: Section): boolean =>
    forms.includes(form);
