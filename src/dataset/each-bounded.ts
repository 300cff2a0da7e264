// Owns bounded concurrency over a list. Nothing is in flight any more when it settles.

/**
 * Runs `work` for every item, at most `limit` at once. After a failure no further item is begun;
 * the first failure is thrown when all that was begun has settled.
 */
export const eachBounded = async <T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> => {
  const iterator = items.entries()
  let failure: { readonly reason: unknown } | undefined
  const runLane = async (): Promise<void> => {
    for (const [index, item] of iterator) {
      if (failure !== undefined) return
      try {
        await work(item, index)
      } catch (reason) {
        failure ??= { reason }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runLane))
  if (failure !== undefined) throw failure.reason
}
