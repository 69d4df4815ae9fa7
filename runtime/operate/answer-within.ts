/** How long a question of an operator waits for its source, in ms. */
export const ANSWER_MS = 2_500;

/** What was asked is hung: it takes connections, or has taken one, and says nothing. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** The answer; rejects with `NoAnswer` after the time. What is asked goes on until whoever opened the source closes it. */
export async function answerWithin<T>(asked: Promise<T>, ms: number = ANSWER_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const refuse = () => reject(new NoAnswer(`no answer within ${ms / 1_000} s`));
    // Where this process was busy for so long, the answer may be here and unread: input is read before `refuse` runs.
    timer = setTimeout(() => setImmediate(() => setImmediate(refuse)), ms);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
