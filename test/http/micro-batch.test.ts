import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { createMicroBatcher } from '../../src/http/micro-batch.js'
import { failureOf } from '../dataset/support.js'
import { until } from '../support/folders.js'

interface Sizes {
  readonly maxBatch: number
  readonly parallel: number
  readonly maxWaitMs: number
}

const sizes = fc.record({
  maxBatch: fc.integer({ min: 1, max: 9 }),
  parallel: fc.integer({ min: 1, max: 3 }),
  maxWaitMs: fc.integer({ min: 0, max: 2 }),
})
/** Requests with a pause before each; every item is a number of its own. */
const requests = fc.array(
  fc.record({ count: fc.integer({ min: 0, max: 12 }), pauseMs: fc.integer({ min: 0, max: 3 }) }),
  { maxLength: 12 },
)

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends requests and gives what each got, with the batches that were run. */
const send = async (
  { maxBatch, parallel, maxWaitMs }: Sizes,
  asked: readonly { count: number; pauseMs: number }[],
  isBad: (item: number) => boolean,
) => {
  const batches: number[][] = []
  let running = 0
  let most = 0
  const batcher = createMicroBatcher<number, string>({
    maxBatch,
    parallel,
    maxWaitMs,
    maxWaiting: 1000,
    run: async (items) => {
      batches.push([...items])
      running += 1
      most = Math.max(most, running)
      await sleep((items[0] ?? 0) % 3)
      running -= 1
      if (items.some(isBad)) throw new HeadstartError('ENGINE_FAILED', `batch of ${items}`)
      return items.map((item) => `result of ${item}`)
    },
  })
  let next = 0
  const answers = []
  for (const { count, pauseMs } of asked) {
    const items = Array.from({ length: count }, (_, i) => next + i)
    next += count
    const answer = batcher.addAll(items).catch((error: unknown) => error as Error)
    answers.push({ items, answer })
    await sleep(pauseMs)
  }
  const got = []
  for (const { items, answer } of answers) got.push({ items, answer: await answer })
  await batcher.close()
  return { got, batches, most }
}

describe('a micro-batcher', () => {
  it('answers every item once, with its own result, in order, in batches within bounds', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, requests, async (size, asked) => {
        const { got, batches, most } = await send(size, asked, () => false)
        for (const { items, answer } of got)
          expect(answer).toEqual(items.map((item) => `result of ${item}`))
        const all = got.flatMap(({ items }) => items)
        expect(batches.flat()).toEqual(all)
        expect(batches.every(({ length }) => length > 0 && length <= size.maxBatch)).toBe(true)
        expect(most).toBeLessThanOrEqual(size.parallel)
      }),
      { numRuns: 40 },
    )
  })

  it('fails the requests that had an item in a failed batch, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        requests,
        fc.integer({ min: 1, max: 7 }),
        async (size, asked, nth) => {
          const isBad = (item: number) => item % nth === nth - 1
          const { got, batches } = await send(size, asked, isBad)
          const failed = new Set(batches.filter((batch) => batch.some(isBad)).flat())
          for (const { items, answer } of got)
            if (items.some((item) => failed.has(item)))
              expect(answer).toMatchObject({ code: 'ENGINE_FAILED' })
            else expect(answer).toEqual(items.map((item) => `result of ${item}`))
        },
      ),
      { numRuns: 40 },
    )
  })

  const slow = (maxWaiting: number) => {
    const release: (() => void)[] = []
    const batcher = createMicroBatcher<number, number>({
      maxBatch: 2,
      parallel: 1,
      maxWaitMs: 0,
      maxWaiting,
      run: async (items) => {
        await new Promise<void>((resolve) => release.push(resolve))
        return items
      },
    })
    return { batcher, release }
  }

  it('refuses at once, and whole, what may not wait', async () => {
    const { batcher, release } = slow(3)
    const first = batcher.addAll([1, 2])
    const second = batcher.addAll([3, 4])
    expect((await failureOf(batcher.addAll([5, 6]))).code).toBe('SERVICE_BUSY')
    release.shift()?.()
    expect(await first).toEqual([1, 2])
    await until(async () => release.length > 0)
    release.shift()?.()
    expect(await second).toEqual([3, 4])
  })

  it('refuses what waits when it is closed, and answers what is computed', async () => {
    const { batcher, release } = slow(10)
    const first = batcher.addAll([1, 2])
    const second = batcher.addAll([3]).catch((error: unknown) => error)
    const closed = batcher.close()
    expect(await second).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    release.shift()?.()
    await closed
    expect(await first).toEqual([1, 2])
    expect((await failureOf(batcher.addAll([4]))).code).toBe('SERVICE_UNAVAILABLE')
  })

  it('does not compute for whom nobody waits any more', async () => {
    const { batcher, release } = slow(10)
    const gone = new AbortController()
    const first = batcher.addAll([1, 2])
    const second = batcher.addAll([3], gone.signal).catch((error: unknown) => error)
    const third = batcher.addAll([4])
    gone.abort()
    release.shift()?.()
    await first
    expect(await second).toMatchObject({ code: 'INTERRUPTED' })
    await until(async () => release.length > 0)
    release.shift()?.()
    expect(await third).toEqual([4])
  })

  it('takes an answer of another length for a failure', async () => {
    const batcher = createMicroBatcher<number, number>({
      ...{ maxBatch: 4, parallel: 1, maxWaitMs: 0, maxWaiting: 9 },
      run: async (items) => items.slice(1),
    })
    await expect(batcher.addAll([1, 2])).rejects.toThrow('1 results for 2 items')
    await batcher.close()
  })
})
