/** What became of a batch of equal operations. */
export interface SlowStartResult {
  readonly succeeded: number;
  /** The first failure; what was not tried after it is not counted. */
  readonly error: unknown;
}

/**
 * Runs `count` equal operations in batches of 1, 2, 4, 8… and stops after the first batch with a failure, so that a
 * quota or an admission rule that refuses them all is hit once and not 500 times.
 */
export async function slowStart(count: number, operation: (index: number) => Promise<void>): Promise<SlowStartResult> {
  let succeeded = 0;
  let started = 0;
  for (let batch = Math.min(count, 1); batch > 0; batch = Math.min(2 * batch, count - started)) {
    const first = started;
    started += batch;
    const indexes = Array.from({ length: batch }, (_, offset) => first + offset);
    const outcomes = await Promise.allSettled(indexes.map((index) => operation(index)));
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    succeeded += batch - failed.length;
    const [firstFailure] = failed;
    if (firstFailure !== undefined) return { succeeded, error: firstFailure.reason };
  }
  return { succeeded, error: undefined };
}
