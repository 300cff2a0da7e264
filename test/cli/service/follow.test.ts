import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { followJobs } from '../../../src/cli/service/follow.js'
import { HeadstartError } from '../../../src/errors.js'
import type { QueueCounts } from '../../../src/queue/types.js'
import {
  countsOf,
  createContext,
  createHandle,
  extractionOf,
  ids,
  jobOf,
  serviceOf,
} from './support.js'

const [plain, augmented] = ids.views

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const createDeferred = <T>() => {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((...settle) => {
    ;[resolve, reject] = settle
  })
  return { promise, resolve, reject }
}

/** Follows a training and the extraction of two views until `end` is called. */
const follow = (options: { counts?: () => QueueCounts[]; signal?: AbortSignal } = {}) => {
  const { counts = () => [], signal } = options
  const { context, said } = createContext(signal)
  const handle = createHandle([ids.training, ...ids.views], async () => [])
  const ended = createDeferred<string>()
  const service = serviceOf({ counts: async () => counts() })
  const followed = { handles: [handle], ids: handle.ids }
  const result = followJobs(context, service, followed, () => ended.promise)
  return { said, handle, ended, result }
}

describe('following jobs', () => {
  it('draws one bar: that of the first view that has not ended', async () => {
    const { said, handle, ended, result } = follow()
    handle.show(extractionOf(augmented, { done: 1 }))
    handle.show(extractionOf(plain, { done: 4 }))
    handle.show(extractionOf(plain, { done: 10 }, { state: 'completed' }))
    handle.show(extractionOf(augmented, { done: 3 }))
    ended.resolve('done')
    expect(await result).toBe('done')
    expect(said.slice(1)).toEqual(['view 0/2 4/10', 'view 0/2 10/10', 'view 1/2 3/10'])
  })

  it('draws epochs of each head, and nothing while the training waits for features', async () => {
    const { said, handle } = follow()
    const progress = { kind: 'training', heads: 2, epochs: 3, loss: 1, score: 0.5 } as const
    const show = (phase: 'extracting' | 'training', head: number, epoch: number) =>
      handle.show(jobOf(ids.training, { progress: { ...progress, phase, head, epoch } }))
    show('extracting', 0, 0)
    show('training', 0, 3)
    show('training', 1, 1)
    expect(said.slice(1)).toEqual(['head 0/2 epoch 3', 'head 1/2 epoch 1'])
  })

  it('says once why nothing moves', () => {
    const { said, handle } = follow()
    for (let i = 0; i < 3; i += 1) handle.show(extractionOf(plain, { waitingFor: 'an engine' }))
    expect(said.filter((line) => line.startsWith('waiting'))).toEqual(['waiting for an engine'])
  })

  it('says once that no worker takes the jobs, when that lasts', async () => {
    let workers = 0
    const { said, ended, result } = follow({
      counts: () => [
        countsOf({ kind: 'training', workers }),
        countsOf({ kind: 'shard', engine: 'wasm', workers: 0 }),
        countsOf({ kind: 'extraction', workers: 1 }),
      ],
    })
    await vi.advanceTimersByTimeAsync(4000)
    expect(said.slice(1)).toEqual([])
    await vi.advanceTimersByTimeAsync(60_000)
    const notice = 'no worker takes training jobs: start one with `headstart worker train`'
    expect(said.slice(1)).toEqual([notice])
    workers = 1
    await vi.advanceTimersByTimeAsync(60_000)
    expect(said.slice(1)).toEqual([notice])
    ended.resolve('done')
    await result
    expect(vi.getTimerCount()).toBe(0)
  })

  it('misses no worker for jobs that have ended', async () => {
    const { said, handle } = follow({ counts: () => [countsOf({ kind: 'extraction' })] })
    for (const id of ids.views) handle.show(jobOf(id, { state: 'completed' }))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(said.slice(1)).toEqual([])
  })

  it('interrupted, says that the jobs go on, how to look and how to cancel', async () => {
    const controller = new AbortController()
    const { said, handle, ended, result } = follow({ signal: controller.signal })
    controller.abort()
    ended.reject(new HeadstartError('INTERRUPTED', 'interrupted'))
    await expect(result).rejects.toMatchObject({
      code: 'INTERRUPTED',
      message: expect.stringContaining('the jobs go on'),
      details: [
        'look: headstart jobs show training-aaaaaaaaaaaa',
        'wait again: headstart jobs wait training-aaaaaaaaaaaa',
        expect.stringMatching(/^cancel: headstart jobs cancel training-a+ extraction-b+ /),
      ],
    })
    expect(said[0]).toBe('on a signal: no longer waiting; the jobs go on')
    expect(handle.listeners.size).toBe(0)
  })

  it('passes on the error of a job, and listens no more', async () => {
    const { handle, ended, result } = follow()
    ended.reject(new HeadstartError('HEAD_DIVERGED', 'loss NaN'))
    await expect(result).rejects.toMatchObject({ code: 'HEAD_DIVERGED' })
    expect(handle.listeners.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})
