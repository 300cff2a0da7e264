import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  type Checkpoint,
  type CheckpointState,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../src/head/checkpoint.js'
import { fileCheckpoint, removeAbandoned } from '../../src/head/checkpoint-file.js'
import { trainHead } from '../../src/head/train.js'
import { memoryCheckpoint } from './memory-checkpoint.js'
import { blobs, specOf } from './synthetic.js'

const data = blobs({ rows: 400 })
const spec = specOf({
  kind: 'mlp',
  width: 16,
  dropout: 0.4,
  learningRate: 0.01,
  epochs: 8,
  batchSize: 8,
  earlyStopping: { patience: 3, metric: 'loss' },
})

/** Aborts after `steps` turns of the event loop beyond the end of `epoch`. */
const interruptAfter = async (epoch: number, turns: number, checkpoint: Checkpoint) => {
  const controller = new AbortController()
  const work = trainHead({
    data,
    spec,
    seed: 3,
    checkpoint,
    signal: controller.signal,
    onEpoch: (metrics) => {
      if (metrics.epoch !== epoch) return
      const wait = (left: number): void => {
        if (left === 0) controller.abort()
        else setImmediate(() => wait(left - 1))
      }
      wait(turns)
    },
  })
  await expect(work).rejects.toMatchObject({ code: 'INTERRUPTED' })
}

describe('an interrupted training', () => {
  it.each([
    [1, 0],
    [3, 0],
    [3, 2],
    [5, 1],
  ])(
    'stopped at epoch %d and %d turns ends with the bits of an undisturbed one',
    async (at, turns) => {
      const whole = await trainHead({ data, spec, seed: 3 })
      const checkpoint = memoryCheckpoint()
      const { numTensors } = tf.memory()
      await interruptAfter(at, turns, checkpoint)
      expect(tf.memory().numTensors).toBe(numTensors)
      expect(checkpoint.bytes).not.toBeNull()
      const seen: number[] = []
      const onEpoch = ({ epoch }: { epoch: number }) => void seen.push(epoch)
      const resumed = await trainHead({ data, spec, seed: 3, checkpoint, onEpoch })
      expect(seen[0]).toBeGreaterThan(at)
      expect(resumed).toEqual(whole)
      expect(tf.memory().numTensors).toBe(numTensors)
    },
  )

  it('can be interrupted again and again', async () => {
    const whole = await trainHead({ data, spec, seed: 3 })
    const checkpoint = memoryCheckpoint()
    for (const epoch of [1, 2, 4]) await interruptAfter(epoch, 0, checkpoint)
    expect(await trainHead({ data, spec, seed: 3, checkpoint })).toEqual(whole)
  })

  it.each([
    ['no bytes', (_: Uint8Array) => new Uint8Array(0)],
    ['half of the bytes', (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2)],
    [
      'a flipped bit',
      (bytes: Uint8Array) =>
        bytes.map((byte, index) => (index === bytes.length - 9 ? byte ^ 4 : byte)),
    ],
  ])('starts anew from %s', async (_, damage) => {
    const whole = await trainHead({ data, spec, seed: 3 })
    const checkpoint = memoryCheckpoint()
    await interruptAfter(2, 0, checkpoint)
    checkpoint.bytes = damage(checkpoint.bytes as Uint8Array)
    expect(await trainHead({ data, spec, seed: 3, checkpoint })).toEqual(whole)
  })

  it('ignores the checkpoint of another seed, spec or data', async () => {
    const checkpoint = memoryCheckpoint()
    await interruptAfter(2, 0, checkpoint)
    const first = async (change: object) => {
      const seen: number[] = []
      const onEpoch = ({ epoch }: { epoch: number }) => void seen.push(epoch)
      await trainHead({ data, spec, seed: 3, checkpoint, onEpoch, ...change })
      return seen[0]
    }
    expect(await first({ seed: 4 })).toBe(1)
    expect(await first({ spec: { ...spec, l2: 0.1 } })).toBe(1)
    expect(await first({ data: blobs({ rows: 400, seed: 5 }) })).toBe(1)
    expect(await first({})).toBe(3)
  })

  it('that was aborted before its first epoch saves nothing', async () => {
    const checkpoint = memoryCheckpoint()
    const signal = AbortSignal.abort()
    await expect(trainHead({ data, spec, seed: 3, checkpoint, signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(checkpoint.saves).toBe(0)
  })
})

describe('a checkpoint that cannot be saved', () => {
  const broken = (): Checkpoint & { tried(): number } => {
    let tries = 0
    return {
      ...memoryCheckpoint(),
      load: async () => null,
      save: async () => {
        tries += 1
        throw new Error('disk on fire')
      },
      tried: () => tries,
    }
  }

  it('costs a notice, not the training', async () => {
    const whole = await trainHead({ data, spec, seed: 3 })
    const notices: string[] = []
    // The clock runs 3 s an epoch, so that each epoch wants to be saved.
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    try {
      const checkpoint = broken()
      const trained = await trainHead({
        data,
        spec,
        seed: 3,
        checkpoint,
        onEpoch: () => {
          now += 3000
        },
        onNotice: (message) => void notices.push(message),
      })
      expect(trained).toEqual(whole)
      expect(checkpoint.tried()).toBeGreaterThan(1)
    } finally {
      clock.mockRestore()
    }
    expect(notices).toEqual([expect.stringMatching(/goes on.*disk on fire/)])
  })

  it('says at an interruption from which epoch on the work is lost', async () => {
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    const controller = new AbortController()
    const onEpoch = ({ epoch }: { epoch: number }) => {
      now += 3000
      if (epoch === 4) controller.abort()
    }
    const checkpoint = memoryCheckpoint()
    const { save } = checkpoint
    checkpoint.save = async (bytes) => {
      if (checkpoint.saves > 0) throw new Error('disk on fire')
      await save.call(checkpoint, bytes)
    }
    const { signal } = controller
    const { numTensors } = tf.memory()
    try {
      // Epoch 2 is the first that is saved: the clock moves after each epoch is finished.
      await expect(
        trainHead({ data, spec, seed: 3, checkpoint, signal, onEpoch }),
      ).rejects.toMatchObject({
        code: 'INTERRUPTED',
        message: expect.stringMatching(/since epoch 2 could not be saved: disk on fire/) as unknown,
      })
    } finally {
      clock.mockRestore()
    }
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('leaves an interruption an interruption, and says so', async () => {
    const controller = new AbortController()
    const onEpoch = () => controller.abort()
    const { signal } = controller
    const work = trainHead({ data, spec, seed: 3, checkpoint: broken(), signal, onEpoch })
    await expect(work).rejects.toMatchObject({
      code: 'INTERRUPTED',
      message: expect.stringMatching(/since the start could not be saved: disk on fire/) as unknown,
    })
  })
})

describe('checkpoint bytes', () => {
  const state: CheckpointState = {
    epoch: 2,
    step: 14,
    waited: 1,
    bestEpoch: 1,
    bestValue: 0.1,
    history: [{ epoch: 1, train: { loss: 1 / 3, score: 0.5 }, validation: null }],
    weights: [Float32Array.of(1, 2), Float32Array.of(3)],
    optimizer: [Float32Array.of(4, 5), Float32Array.of(6)],
    best: [Float32Array.of(7, 8), Float32Array.of(9)],
  }

  it('hold the state exactly, wherever they lie in memory', () => {
    const bytes = encodeCheckpoint('fingerprint', state)
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    expect(decodeCheckpoint(shifted.subarray(3), 'fingerprint')).toEqual(state)
    expect(decodeCheckpoint(bytes, 'other')).toBeNull()
  })

  it('are refused for every single damaged byte', () => {
    const bytes = encodeCheckpoint('fingerprint', state)
    for (let index = 0; index < bytes.length; index += 1) {
      const damaged = bytes.slice()
      damaged[index] = (damaged[index] ?? 0) ^ 1
      expect(decodeCheckpoint(damaged, 'fingerprint')).toBeNull()
    }
  })
})

describe('a checkpoint file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-checkpoint-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('is null, then what was saved last, then null; and leaves no temporary file', async () => {
    const checkpoint = fileCheckpoint(join(folder, 'deep', 'state'))
    expect(await checkpoint.load()).toBeNull()
    await checkpoint.save(Uint8Array.of(1))
    await checkpoint.save(Uint8Array.of(2, 3))
    expect([...((await checkpoint.load()) ?? [])]).toEqual([2, 3])
    expect(await readdir(join(folder, 'deep'))).toEqual(['state'])
    await checkpoint.clear()
    await checkpoint.clear()
    expect(await checkpoint.load()).toBeNull()
  })

  it('takes away trainings that nobody came back to for 30 days, and nothing else', async () => {
    const beside = join(folder, 'many')
    const [old, fresh] = ['a'.repeat(64), 'b'.repeat(64)]
    for (const name of [old, fresh])
      await fileCheckpoint(join(beside, name, 'pass', 'together')).save(Uint8Array.of(1))
    await writeFile(join(beside, 'notes.txt'), '')
    const daysAgo = (days: number) => new Date(Date.now() - days * 24 * 3600 * 1000)
    for (const name of [old, 'notes.txt'])
      await utimes(join(beside, name), daysAgo(31), daysAgo(31))
    await utimes(join(beside, fresh), daysAgo(29), daysAgo(29))
    await removeAbandoned(beside)
    await removeAbandoned(join(folder, 'nowhere'))
    expect((await readdir(beside)).sort()).toEqual([fresh, 'notes.txt'])
  })

  it('says STORE_UNAVAILABLE where it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '')
    const checkpoint = fileCheckpoint(join(folder, 'file', 'state'))
    await expect(checkpoint.save(Uint8Array.of(1))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
  })

  it('resumes a training from disk', async () => {
    const checkpoint = fileCheckpoint(join(folder, 'training'))
    const whole = await trainHead({ data, spec, seed: 3 })
    await interruptAfter(3, 1, checkpoint)
    expect(await trainHead({ data, spec, seed: 3, checkpoint })).toEqual(whole)
    await writeFile(join(folder, 'training'), 'rubbish')
    expect(await trainHead({ data, spec, seed: 3, checkpoint })).toEqual(whole)
  })
})
