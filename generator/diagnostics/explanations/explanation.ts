/** What a code means, for who meets it: why it is said, and lines of a mesh that have the mistake, beside those that have not. */
export interface Explanation {
  readonly why: string;
  /** Lines of test/scenarios/diagnostics/<code>/mesh.yaml, from their first column on; undefined where no few lines show it. */
  readonly wrong: string | undefined;
  /** What stands in their place; empty: nothing. */
  readonly right: string;
}

export function explain(why: string, wrong?: string, right = ""): Explanation {
  return { why, wrong, right };
}
