// A training that was interrupted, or killed, at any step and started again ends with the bits of an
// undisturbed one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { Checkpoint } from '../../../src/head/checkpoint.js'
import { trainTogether } from '../../../src/head/fused/train-together.js'
import type { TogetherRequest } from '../../../src/head/fused/types.js'
import { createRandom } from '../../../src/head/random.js'
import { memoryCheckpoint } from '../memory-checkpoint.js'

interface Tasks {
  readonly REQUESTS: Readonly<Record<string, () => TogetherRequest>>
  signalAt(look: number, answer: () => boolean): AbortSignal
}
const task = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const { REQUESTS, signalAt } = (await import(task('resume-task.mjs'))) as Tasks

const names = Object.keys(REQUESTS)
const requestOf = (name: string): TogetherRequest => (REQUESTS[name] as () => TogetherRequest)()

/** Steps and measurements of a whole training. */
const countLooks = async (name: string): Promise<number> => {
  let looks = 0
  const signal = {
    get aborted() {
      looks += 1
      return false
    },
  } as AbortSignal
  await trainTogether({ ...requestOf(name), signal })
  return looks
}

describe.each(names)('a training of %s', (name) => {
  it('that is interrupted at any of 20 random steps ends with the same bits', async () => {
    let epochs = 0
    const onEpoch = () => {
      epochs += 1
    }
    const whole = await trainTogether({ ...requestOf(name), onEpoch })
    const total = epochs
    const looks = await countLooks(name)
    const random = createRandom('interrupt', name)
    let resumed = 0
    for (let time = 0; time < 20; time += 1) {
      const checkpoint = memoryCheckpoint()
      const at = 1 + random.below(looks)
      const signal = signalAt(at, () => true)
      const work = trainTogether({ ...requestOf(name), checkpoint, signal })
      await expect(work).rejects.toMatchObject({ code: 'INTERRUPTED' })
      if (checkpoint.bytes !== null) resumed += 1
      epochs = 0
      expect(await trainTogether({ ...requestOf(name), checkpoint, onEpoch })).toEqual(whole)
      // What was saved is not trained again.
      if (checkpoint.bytes !== null) expect(epochs).toBeLessThan(total)
    }
    expect(resumed).toBeGreaterThan(10)
  })

  it('that is interrupted again and again ends with the same bits', async () => {
    const whole = await trainTogether(requestOf(name))
    const checkpoint = memoryCheckpoint()
    let interruptions = 0
    for (;;) {
      const signal = signalAt(45, () => true)
      try {
        expect(await trainTogether({ ...requestOf(name), checkpoint, signal })).toEqual(whole)
        break
      } catch (error) {
        expect(error).toMatchObject({ code: 'INTERRUPTED' })
        interruptions += 1
      }
    }
    expect(interruptions).toBeGreaterThan(1)
  })
})

describe('a process that trains', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-fused-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const run = async (name: string, path: string, step: number, result: string) => {
    const child = spawn(
      process.execPath,
      [task('killed-training.mjs'), name, path, String(step), result],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return signal ?? code
  }

  it.each(['linear', 'mlp'])(
    'and is killed at 10 random steps on end ends with the same bits: %s',
    async (name) => {
      const path = join(folder, `${name}-checkpoint`)
      const result = join(folder, `${name}-result.json`)
      const random = createRandom('kill', name)
      let kills = 0
      // Far enough for an epoch or two, so that each start gets further.
      for (let time = 0; time < 10; time += 1) {
        const ended = await run(name, path, 5 + random.below(40), result)
        if (ended === 0) break
        expect(ended).toBe('SIGKILL')
        kills += 1
      }
      expect(kills).toBeGreaterThan(3)
      expect(await run(name, path, 0, result)).toBe(0)
      const whole = await trainTogether(requestOf(name))
      const plain = whole.map((outcome) => {
        if (outcome.state !== 'trained') return outcome
        const { artifacts } = outcome.head
        const weights = Buffer.from(artifacts.weights).toString('base64')
        return { ...outcome, head: { ...outcome.head, artifacts: { ...artifacts, weights } } }
      })
      expect(JSON.parse(await readFile(result, 'utf8'))).toEqual(JSON.parse(JSON.stringify(plain)))
    },
  )
})

describe('a checkpoint', () => {
  const interrupted = async (): Promise<ReturnType<typeof memoryCheckpoint>> => {
    const checkpoint = memoryCheckpoint()
    const signal = signalAt(60, () => true)
    const work = trainTogether({ ...requestOf('linear'), checkpoint, signal })
    await expect(work).rejects.toMatchObject({ code: 'INTERRUPTED' })
    return checkpoint
  }
  const firstEpoch = async (
    checkpoint: Checkpoint,
    change: (request: TogetherRequest) => TogetherRequest,
  ): Promise<number | undefined> => {
    const seen: number[] = []
    const onEpoch = (_: number, { epoch }: { epoch: number }) => void seen.push(epoch)
    await trainTogether({ ...change(requestOf('linear')), checkpoint, onEpoch })
    return seen[0]
  }

  it('of other heads, folds, halving or data is not gone on from', async () => {
    const { bytes } = await interrupted()
    const copy = (): Checkpoint => ({ ...memoryCheckpoint(), load: async () => bytes })
    const of = new Uint8Array(200).map((_, row) => (row >> 1) % 2)
    expect(await firstEpoch(copy(), (request) => request)).toBeGreaterThan(1)
    const changes: ((request: TogetherRequest) => TogetherRequest)[] = [
      (request) => ({ ...request, heads: request.heads.slice(1) }),
      (request) => ({ ...request, heads: request.heads.map((head) => ({ ...head, seed: 6 })) }),
      (request) => ({ ...request, folds: { count: 2, of } }),
      (request) => ({ ...request, halving: { epochs: 2, factor: 2, metric: 'loss' } }),
      (request) => ({
        ...request,
        data: { ...request.data, labels: request.data.labels.map(() => [0]) },
      }),
    ]
    for (const change of changes) expect(await firstEpoch(copy(), change)).toBe(1)
  })

  it('with a damaged byte is not gone on from', async () => {
    const { bytes } = await interrupted()
    const whole = bytes ?? new Uint8Array(0)
    for (const at of [0, 9, 45, whole.length >> 1, whole.length - 1]) {
      const damaged = whole.map((byte, index) => (index === at ? byte ^ 1 : byte))
      const checkpoint = { ...memoryCheckpoint(), load: async () => damaged }
      expect(await firstEpoch(checkpoint, (request) => request)).toBe(1)
    }
    const half = { ...memoryCheckpoint(), load: async () => whole.slice(0, whole.length >> 1) }
    expect(await firstEpoch(half, (request) => request)).toBe(1)
  })

  it('that cannot be saved costs a notice, not the training', async () => {
    const whole = await trainTogether(requestOf('linear'))
    const notices: string[] = []
    // Seconds pass between any two looks at the clock, so that each epoch wants to be saved.
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 3000
      return now
    })
    const checkpoint: Checkpoint = {
      ...memoryCheckpoint(),
      load: async () => null,
      save: async () => {
        throw new Error('disk on fire')
      },
    }
    try {
      const onNotice = (message: string) => void notices.push(message)
      const trained = await trainTogether({ ...requestOf('linear'), checkpoint, onNotice })
      expect(trained).toEqual(whole)
      const signal = signalAt(60, () => true)
      await expect(
        trainTogether({ ...requestOf('linear'), checkpoint, signal }),
      ).rejects.toMatchObject({
        code: 'INTERRUPTED',
        message: expect.stringMatching(/could not be saved: disk on fire/) as unknown,
      })
    } finally {
      clock.mockRestore()
    }
    expect(notices).toEqual([expect.stringMatching(/goes on.*disk on fire/)])
  })

  it('is not made by a training that is interrupted before its first epoch ends', async () => {
    const checkpoint = memoryCheckpoint()
    const signal = signalAt(3, () => true)
    const work = trainTogether({ ...requestOf('mlp'), checkpoint, signal })
    await expect(work).rejects.toMatchObject({ code: 'INTERRUPTED' })
    expect(checkpoint.saves).toBe(0)
  })
})
