/** One line of Prometheus' text format. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads a scraped page. Throws where a line is none of the format. */
export function readSamples(text: string): readonly ScrapedSample[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labels = "", value = ""] =
        /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === "") throw new Error(`not a sample: ${line}`);
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g)];
      return {
        name,
        labels: Object.fromEntries(pairs.map(([, label = "", of = ""]) => [label, of])),
        value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
      };
    });
}
