// Training in threads of its own: the same bits as in this one, stopped between any two steps, and never
// ended in the middle of one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { planPasses } from '../../../src/head/fused/groups.js'
import { threadsFor } from '../../../src/head/fused/hosts.js'
import { trainTogether } from '../../../src/head/fused/train-together.js'
import type { TogetherRequest } from '../../../src/head/fused/types.js'
import { createRandom } from '../../../src/head/random.js'
import { memoryCheckpoint } from '../memory-checkpoint.js'
import { blobs } from '../synthetic.js'
import { presetOf, together } from './support.js'

const task = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const { REQUESTS } = (await import(task('resume-task.mjs'))) as {
  readonly REQUESTS: Readonly<Record<string, () => TogetherRequest>>
}
const requestOf = (name: string): TogetherRequest => (REQUESTS[name] as () => TogetherRequest)()

describe.each(Object.keys(REQUESTS))('%s in threads', (name) => {
  it('ends with the same bits on any number of them', async () => {
    const here = await trainTogether({ ...requestOf(name), threads: 0 })
    for (const threads of [1, 2, 3])
      expect(await trainTogether({ ...requestOf(name), threads })).toEqual(here)
  })

  it('that is interrupted, and goes on with another number of threads, ends with the same bits', async () => {
    const whole = await trainTogether(requestOf(name))
    const random = createRandom('threads', name)
    let interruptions = 0
    for (let time = 0; time < 6; time += 1) {
      const checkpoint = memoryCheckpoint()
      const controller = new AbortController()
      // Somewhere in the next epoch, if there is one.
      const [after, turns] = [1 + random.below(20), random.below(12)]
      let seen = 0
      const abortSoon = (left: number): void => {
        if (left === 0) controller.abort()
        else setImmediate(abortSoon, left - 1)
      }
      const onEpoch = () => {
        seen += 1
        if (seen === after) abortSoon(turns)
      }
      const { signal } = controller
      try {
        await trainTogether({ ...requestOf(name), checkpoint, signal, onEpoch, threads: 2 })
      } catch (error) {
        expect(error).toMatchObject({ code: 'INTERRUPTED' })
        interruptions += 1
      }
      const threads = time % 3
      expect(await trainTogether({ ...requestOf(name), checkpoint, threads })).toEqual(whole)
    }
    expect(interruptions).toBeGreaterThan(0)
  })
})

describe('a training in threads', () => {
  it('of products that onnxruntime would cut by threads ends with the same bits, too', async () => {
    const data = blobs({ rows: 200, width: 384, classes: 100 })
    const inputs = [64, 32].map((batchSize) => ({ kind: 'linear' as const, epochs: 2, batchSize }))
    const here = await together(data, inputs, { threads: 0 })
    for (const threads of [1, 2, 3]) expect(await together(data, inputs, { threads })).toEqual(here)
  })

  it('is not begun when it was aborted before', async () => {
    const signal = AbortSignal.abort()
    const work = trainTogether({ ...requestOf('linear'), signal, threads: 2 })
    await expect(work).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  it('does not abort a process that exits while it begins, or in the middle of steps', async () => {
    const moments = [0, 50, 100, 200, 400].map((after) => ['start', after] as const)
    const later = [0, 20, 40].map((after) => ['epoch', after] as const)
    for (const [since, after] of [...moments, ...later]) {
      const args = [task('exit-in-training.mjs'), since, String(after)]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
      let errors = ''
      child.stderr.on('data', (data) => {
        errors += String(data)
      })
      expect(await once(child, 'close')).toEqual([7, null])
      expect(errors).toBe('')
    }
  })
})

describe('the number of threads', () => {
  const passes = (width: number, heads: number) => {
    const spec = presetOf({ kind: 'mlp', width: 64 })
    const all = Array.from({ length: heads }, (_, seed) => ({ spec, seed, views: 1 }))
    const task = { width, units: 3, trainRows: 1000 }
    return planPasses(all, [...all.keys()], [null], task)
  }

  it('is none where a training takes less than a thread takes to start', () => {
    expect(threadsFor(passes(8, 50), 1000)).toBe(0)
  })

  it('is at most one a group', () => {
    expect(threadsFor(passes(20_000, 1), 100_000)).toBe(1)
    expect(threadsFor(passes(20_000, 50), 100_000)).toBeGreaterThan(0)
  })
})
