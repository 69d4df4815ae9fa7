/** Longer words get no suggestion: they are no misspelling of a name. */
const LONGEST_WORD = 100;

/** How many candidates may still be looked at: mistakes times names would take minutes in a large file. */
export interface Budget {
  left: number;
}

/** The candidate that the user most likely meant, or undefined when none is near. Ties go to the first. */
export function suggest(
  written: string,
  candidates: Iterable<string>,
  budget: Budget = { left: Number.POSITIVE_INFINITY },
): string | undefined {
  if (written.length > LONGEST_WORD) return undefined;
  let limit = Math.max(1, Math.floor(written.length / 3));
  let best: string | undefined;
  for (const candidate of candidates) {
    budget.left -= 1;
    if (budget.left < 0) return best;
    if (candidate === written || Math.abs(candidate.length - written.length) > limit) continue;
    const distance = editDistance(written.toLowerCase(), candidate.toLowerCase(), limit);
    if (distance > limit || (best !== undefined && distance === limit)) continue;
    best = candidate;
    limit = distance;
  }
  return best;
}

/** Optimal string alignment: insert, delete, replace, swap neighbours. Gives up past `limit`. */
export function editDistance(from: string, to: string, limit = Number.POSITIVE_INFINITY): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      let value = cell(last, column - 1) + (isSame ? 0 : 1);
      value = Math.min(value, cell(last, column) + 1, cell(current, column - 1) + 1);
      const isSwapped = row > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwapped) value = Math.min(value, cell(before, column - 2) + 1);
      current.push(value);
      least = Math.min(least, value);
    }
    if (least > limit) return Number.POSITIVE_INFINITY;
    before = last;
    last = current;
  }
  return cell(last, to.length);
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
