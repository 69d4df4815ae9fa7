import { answerWithin, messageOf } from "@meshwright/runtime";

/** Why a service does not answer at its URL; undefined where it does, whatever it answers. */
export async function silenceOf(service: string, base: string): Promise<string | undefined> {
  const url = new URL("/healthz", base).href;
  const over = new AbortController();
  try {
    await answerWithin(fetch(url, { redirect: "manual", signal: over.signal }));
    return undefined;
  } catch (error) {
    const { cause } = error as Error;
    return `${service} does not answer: GET ${url}: ${messageOf(cause ?? error)}`;
  } finally {
    over.abort();
  }
}
