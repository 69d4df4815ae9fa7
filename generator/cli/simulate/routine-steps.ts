/**
 * Steps that happen whether or not anything else does, by what the trace shows of them: polls of the outbox, of moments, of pending
 * retries, of the leader lease and of the broker. A reader of a counterexample does without them.
 */
export const ROUTINE_STEPS: readonly RegExp[] = [
  /pg_current_snapshot|DISTINCT due\.routine|min\(next_at\) - mesh\.clock/,
  /\(mesh-pending-retries\)|SELECT subscription\.seq_offset, attempt\.stream_seq/,
  /count\(\*\)::integer FROM mesh\.attempt WHERE durable/,
  /SELECT 1$/,
  /pg_try_advisory_lock\(\$1, \$2\)/,
  /^pull /,
];

export function isRoutine(what: string): boolean {
  return ROUTINE_STEPS.some((step) => step.test(what));
}
