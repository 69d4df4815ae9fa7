/** Shares one call among all callers while it runs and for `ms` after it. Another argument makes another call. */
export function shareFor<A, T>(ms: number, work: (of: A) => Promise<T>): (of: A) => Promise<T> {
  let last: { readonly of: A; readonly result: Promise<T>; until: number } | undefined;
  return (of) => {
    if (last !== undefined && last.of === of && performance.now() < last.until) return last.result;
    const current = { of, result: work(of), until: Number.POSITIVE_INFINITY };
    const settled = () => {
      current.until = performance.now() + ms;
    };
    current.result.then(settled, settled);
    last = current;
    return current.result;
  };
}
