import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { findPoison, poisonError } from '../../src/queue/poison.js'
import type { SampleRange } from '../../src/queue/stage-protocol.js'
import { StageDied } from '../../src/queue/supervisor.js'

/** A process that dies whenever its range holds one of these; what it computed otherwise. */
const dyingOn = (poison: ReadonlySet<number>) => {
  const computed: number[] = []
  const state = { deaths: 0 }
  const run = async ({ from, to }: SampleRange): Promise<void> => {
    const positions = Array.from({ length: to - from }, (_, i) => from + i)
    if (positions.some((position) => poison.has(position))) {
      state.deaths += 1
      throw new StageDied('SIGKILL')
    }
    computed.push(...positions)
  }
  return { run, computed, state }
}

describe('the search for the samples that take the engine down', () => {
  it('finds any few of them in any shard, and computes every other sample exactly once', async () => {
    const shards = fc.integer({ min: 1, max: 64 }).chain((rows) =>
      fc.record({
        rows: fc.constant(rows),
        poison: fc.uniqueArray(fc.nat({ max: rows - 1 }), { maxLength: 2 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(shards, async ({ rows, poison }) => {
        const { run, computed } = dyingOn(new Set(poison))
        expect(await findPoison({ from: 0, to: rows }, run)).toEqual(poison.sort((a, b) => a - b))
        const others = Array.from({ length: rows }, (_, i) => i).filter((i) => !poison.includes(i))
        expect(computed).toEqual(others)
      }),
    )
  })

  it('needs no more deaths than there are halvings for one sample of the largest shard', async () => {
    const { run, state } = dyingOn(new Set([11_111]))
    expect(await findPoison({ from: 0, to: 16_384 }, run)).toEqual([11_111])
    expect(state.deaths).toBe(15)
  })

  it('gives up when the process dies whatever it is given', async () => {
    const { run, state } = dyingOn(new Set(Array.from({ length: 4096 }, (_, i) => i)))
    await expect(findPoison({ from: 0, to: 4096 }, run)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
    })
    // Down to one sample, its neighbour, and no range that ran.
    expect(state.deaths).toBe(15)
  })

  it('is ended by any other failure at once', async () => {
    const error = new HeadstartError('STORE_FULL', 'no space')
    const run = () => Promise.reject(error)
    await expect(findPoison({ from: 0, to: 8 }, run)).rejects.toBe(error)
  })

  it('names what it found', () => {
    expect(poisonError(['a.png (1)', 'b.png (2)'])).toMatchObject({
      code: 'SAMPLE_INVALID',
      message: 'the engine process dies on a.png (1), b.png (2)',
      details: ['a.png (1)', 'b.png (2)'],
    })
  })
})
