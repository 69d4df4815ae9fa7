import pc from "picocolors";

/** Prints each step and checks it. A line without a tick is a failure of the demo. */
export interface Report {
  title(text: string): void;
  /** Prints a line that checks nothing. */
  note(label: string, text: string): void;
  /** Waits until `read` gives what is expected, prints what it gave, and how long it took. */
  expect<T>(label: string, read: () => Promise<T>, expected: T, show?: (value: T) => string): Promise<void>;
  /** Work whose success is the claim; its time is printed. */
  step<T>(label: string, text: string, work: () => Promise<T>): Promise<T>;
  readonly failures: () => number;
}

const LABEL = 25;
const TEXT = 80;
const PATIENCE_MS = 10_000;
/** After a failed check the later ones mostly fail, too: a shorter time-out for those. */
const LOST_PATIENCE_MS = 500;

export function createReport(print: (line: string) => void): Report {
  let failures = 0;
  const line = (label: string, text: string, end: string) =>
    print(`  ${label.padEnd(LABEL)}${text.padEnd(TEXT)} ${end}`);
  const verdict = (good: boolean, ms: number) => {
    if (!good) failures += 1;
    return `${good ? pc.green("✓") : pc.red("✗")} ${pc.dim(duration(ms).padStart(7))}`;
  };
  return {
    title: (text) => print(`\n${pc.bold(text)}`),
    note: (label, text) => print(`  ${label.padEnd(LABEL)}${pc.dim(text)}`),
    async expect(label, read, expected, show = plain) {
      const wanted = JSON.stringify(expected);
      const started = performance.now();
      const patience = failures === 0 ? PATIENCE_MS : LOST_PATIENCE_MS;
      let actual = await read();
      while (JSON.stringify(actual) !== wanted && performance.now() - started < patience) {
        await new Promise((wake) => setTimeout(wake, 5));
        actual = await read();
      }
      const good = JSON.stringify(actual) === wanted;
      line(label, show(actual), verdict(good, performance.now() - started));
      if (!good) print(pc.red(`  ${"".padEnd(LABEL)}expected ${show(expected)}`));
    },
    async step(label, text, work) {
      const started = performance.now();
      const result = await work();
      line(label, text, verdict(true, performance.now() - started));
      return result;
    },
    failures: () => failures,
  };
}

export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "nothing" : value.map(String).join(", ");
  return String(value);
}
