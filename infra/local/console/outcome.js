// How an invocation ended, as one word for colours and filters.

/** `good`, `warn` for a refusal, or `bad` for a failure. */
export function verdict({ outcome, code }) {
  if (outcome !== 'ok') return 'bad';
  if (code === undefined || code === null || code === 0) return 'good';
  return code >= 15000 && code <= 50000 ? 'bad' : 'warn';
}
