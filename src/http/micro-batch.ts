// Owns joining items of many requests into batches. Every item is answered once, with its own result;
// a batch that fails fails its members only. Knows nothing of models.
import { HeadstartError } from '../errors.js'

export interface MicroBatcher<Item, Result> {
  /**
   * One result for each item, in order.
   *
   * @throws SERVICE_BUSY at once when not all items may wait; the error of a batch that failed;
   *   INTERRUPTED when the signal fired before all were taken.
   */
  addAll(items: readonly Item[], signal?: AbortSignal): Promise<Result[]>
  /** Refuses what waits and waits for what is computed. */
  close(): Promise<void>
}

export interface MicroBatchOptions<Item, Result> {
  /** As many results as items, in order. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly maxBatch: number
  /** How long an item waits for others. */
  readonly maxWaitMs: number
  /** Items that may wait beside those that are computed. */
  readonly maxWaiting: number
  /** Batches that are computed at once. */
  readonly parallel: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly signal: AbortSignal | undefined
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

const settle = async <Item, Result>(
  batch: readonly Waiting<Item, Result>[],
  run: MicroBatchOptions<Item, Result>['run'],
): Promise<void> => {
  try {
    const results = await run(batch.map(({ item }) => item))
    if (results.length !== batch.length)
      throw new Error(`${results.length} results for ${batch.length} items`)
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}

export const createMicroBatcher = <Item, Result>(
  options: MicroBatchOptions<Item, Result>,
): MicroBatcher<Item, Result> => {
  const { run, maxBatch, maxWaitMs, maxWaiting, parallel } = options
  let waiting: Waiting<Item, Result>[] = []
  const computing = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  /** The oldest item has waited long enough. */
  let due = false
  let closed = false

  const take = (): Waiting<Item, Result>[] => {
    const batch: Waiting<Item, Result>[] = []
    let taken = 0
    for (const entry of waiting) {
      if (batch.length === maxBatch) break
      taken += 1
      if (entry.signal?.aborted) entry.reject(new HeadstartError('INTERRUPTED', 'interrupted'))
      else batch.push(entry)
    }
    waiting = waiting.slice(taken)
    return batch
  }

  const pump = (): void => {
    while (
      computing.size < parallel &&
      (waiting.length >= maxBatch || (due && waiting.length > 0))
    ) {
      const batch = take()
      due = false
      if (batch.length === 0) continue
      const work = settle(batch, run).finally(() => {
        computing.delete(work)
        // What waited for a place has waited long enough.
        due = waiting.length > 0
        pump()
      })
      computing.add(work)
    }
    clearTimeout(timer)
    if (waiting.length === 0 || computing.size === parallel) return
    timer = setTimeout(() => {
      due = true
      pump()
    }, maxWaitMs)
  }

  return {
    addAll: async (items, signal) => {
      if (closed) throw new HeadstartError('SERVICE_UNAVAILABLE', 'the service is closing')
      if (waiting.length + items.length > maxWaiting)
        throw new HeadstartError('SERVICE_BUSY', `${waiting.length} samples wait already`)
      const answers = items.map(
        (item) =>
          new Promise<Result>((resolve, reject) => {
            waiting.push({ item, signal, resolve, reject })
          }),
      )
      pump()
      return Promise.all(answers)
    },
    close: async () => {
      closed = true
      clearTimeout(timer)
      const left = waiting
      waiting = []
      for (const { reject } of left)
        reject(new HeadstartError('SERVICE_UNAVAILABLE', 'the service is closing'))
      await Promise.all(computing)
    },
  }
}
