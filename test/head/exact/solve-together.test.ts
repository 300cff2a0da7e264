import { readFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/dataset/types.js'
import { isHeadstartError } from '../../../src/errors.js'
import { residentSource } from '../../../src/features/feature-source.js'
import { ensureHeadBackend } from '../../../src/head/backend.js'
import type { Checkpoint } from '../../../src/head/checkpoint.js'
import {
  type ExactHead,
  type ExactOutcome,
  solveTogether,
} from '../../../src/head/exact/solve-together.js'
import { openHead } from '../../../src/head/predict-head.js'
import { type ExactSpec, type HeadSpecInput, isExactSpec } from '../../../src/head/spec.js'
import { trainHead } from '../../../src/head/train.js'
import type { TrainedHead, TrainingData } from '../../../src/head/types.js'
import { blobs, dataOf, normals, plainOf, specOf, withViews } from '../synthetic.js'

const exactSpec = (input: Omit<HeadSpecInput, 'kind' | 'optimizer'> = {}): ExactSpec => {
  const spec = specOf({ kind: 'linear', optimizer: 'lbfgs', ...input } as HeadSpecInput)
  if (!isExactSpec(spec)) throw new Error('not an exact spec')
  return spec
}

const headOf = (input: Parameters<typeof exactSpec>[0] = {}, views = 1): ExactHead => ({
  spec: exactSpec(input),
  seed: 1,
  views,
})

const trainedOf = (outcome: ExactOutcome | undefined): TrainedHead => {
  if (outcome?.state !== 'trained') throw new Error(`the head is ${outcome?.state}`)
  return outcome.head
}

const solveOne = async (data: TrainingData, head: ExactHead): Promise<TrainedHead> =>
  trainedOf((await solveTogether({ data, heads: [head] }))[0])

/** Blobs so near to each other that no line separates them: the optimum is finite without l2. */
const crowded = (options: Parameters<typeof blobs>[0] = {}): TrainingData =>
  blobs({ rows: 300, width: 8, distance: 1, ...options })

const memoryCheckpoint = (): Checkpoint & { bytes: Uint8Array | null; saves: number } => {
  const checkpoint = {
    bytes: null as Uint8Array | null,
    saves: 0,
    load: async () => checkpoint.bytes,
    save: async (bytes: Uint8Array) => {
      checkpoint.bytes = bytes
      checkpoint.saves += 1
    },
    clear: async () => {},
  }
  return checkpoint
}

beforeAll(ensureHeadBackend)

interface Iris {
  readonly features: readonly (readonly number[])[]
  readonly labels: readonly number[]
  readonly cases: readonly {
    readonly l2: number
    readonly classWeights: 'none' | 'balanced'
    readonly loss: number
    readonly predicted: readonly number[]
  }[]
}

describe('an exact head', () => {
  it("has the loss and the predictions of scikit-learn's LogisticRegression", async () => {
    const file = new URL('iris.json', import.meta.url)
    const iris = JSON.parse(await readFile(file, 'utf8')) as Iris
    const rows = iris.features.map((features, row) => ({
      features,
      label: [iris.labels[row] as number],
    }))
    const target: Target = { kind: 'single', classes: ['setosa', 'versicolor', 'virginica'] }
    const data = dataOf(target, 4, rows, { splits: rows.map(() => 'train') })
    for (const { l2, classWeights, loss, predicted } of iris.cases) {
      const head = await solveOne(data, headOf({ l2, classWeights, tolerance: 1e-6, epochs: 1000 }))
      const found = head.metrics.train?.loss ?? Number.NaN
      expect(Math.abs(found - loss) / loss).toBeLessThan(1e-4)
      const predictor = await openHead(head.artifacts)
      const served = predictor.predict(plainOf(data), rows.length)
      predictor.close()
      const classes = rows.map((_, row) => {
        const own = served.subarray(row * 3, row * 3 + 3)
        return own.indexOf(Math.max(...own))
      })
      expect(classes).toEqual(predicted)
    }
  })

  it('ends at the least squares solution of a regression', async () => {
    const normal = normals(3)
    const rows = Array.from({ length: 120 }, () => {
      const features = [normal(), 5 * normal()]
      return { features, label: [1000 + 30 * (features[0] ?? 0) - 4 * (features[1] ?? 0)] }
    })
    const data = dataOf({ kind: 'regression', outputs: ['y'] }, 2, rows)
    const head = await solveOne(data, headOf({ tolerance: 1e-6 }))
    const weights = new Float32Array(head.artifacts.weights.slice().buffer)
    expect(weights[0]).toBeCloseTo(30, 2)
    expect(weights[1]).toBeCloseTo(-4, 2)
    expect(weights[2]).toBeCloseTo(1000, 1)
    expect(head.metrics.validation).toMatchObject({ kind: 'regression', r2: expect.closeTo(1, 4) })
  })

  it('is where a long training by gradient steps goes, with smoothing, weights and several labels', async () => {
    const single = crowded()
    const multi: TrainingData = {
      ...single,
      target: { kind: 'multi', classes: ['a', 'b', 'c'] },
      labels: single.labels.map(([label = 0], row) => (row % 4 === 0 ? [0, 1, 2] : [label])),
    }
    const shared = { l2: 0.01, labelSmoothing: 0.1, classWeights: 'balanced' } as const
    for (const data of [single, multi]) {
      const exact = await solveOne(data, headOf(shared))
      const spec = specOf({
        ...{ kind: 'linear', optimizer: 'sgd', batchSize: 1024, learningRate: 0.2, epochs: 400 },
        ...shared,
      })
      const steps = await trainHead({ data, spec, seed: 1 })
      expect(exact.metrics.validation?.loss).toBeCloseTo(steps.metrics.validation?.loss ?? 0, 3)
      expect(exact.history.length).toBeLessThan(60)
    }
  })

  it('reports an entry an iteration, of the weights that it keeps last', async () => {
    const data = crowded()
    const { history, metrics, bestEpoch, stoppedEarly, batchNormalization } = await solveOne(
      data,
      headOf(),
    )
    expect(history.map(({ epoch }) => epoch)).toEqual(history.map((_, index) => index + 1))
    expect(history.at(-1)?.train.loss).toBeCloseTo(metrics.train?.loss ?? 0, 5)
    expect(history.at(-1)?.validation?.loss).toBeCloseTo(metrics.validation?.loss ?? 0, 5)
    expect(metrics.train).toMatchObject({ accuracy: history.at(-1)?.train.score })
    expect({ bestEpoch, stoppedEarly }).toEqual({ bestEpoch: history.length, stoppedEarly: false })
    expect([metrics.test, batchNormalization]).toEqual([undefined, null])
  })

  it('says that it did not converge, and is trained all the same', async () => {
    const notices: string[] = []
    const heads = [headOf({ epochs: 2 }), headOf()]
    const outcomes = await solveTogether({
      ...{ data: crowded(), heads },
      onNotice: (message) => notices.push(message),
    })
    expect(trainedOf(outcomes[0]).history).toHaveLength(2)
    expect(notices).toEqual([expect.stringMatching(/^head 0: not converged in 2 iterations/)])
  })

  it('has a history where the start is the optimum', async () => {
    const data = dataOf(
      { kind: 'single', classes: ['a', 'b'] },
      1,
      Array.from({ length: 20 }, (_, row) => ({ features: [0], label: [row % 2] })),
      { splits: new Array<'train'>(20).fill('train') },
    )
    const { history, metrics } = await solveOne(data, headOf())
    expect(history).toEqual([
      { epoch: 1, train: { loss: expect.closeTo(Math.LN2, 6), score: 0.5 }, validation: null },
    ])
    expect(metrics.train?.loss).toBeCloseTo(Math.LN2, 5)
  })
})

describe('exact heads together', () => {
  it('end where each ends alone, and leave no tensor behind', async () => {
    const data = crowded()
    const heads = [0, 1e-3, 0.1].map((l2) => headOf({ l2, tolerance: 1e-6 }))
    await solveOne(data, headOf())
    const before = tf.memory().numTensors
    const together = await solveTogether({ data, heads })
    for (const [index, head] of heads.entries()) {
      const alone = await solveOne(data, head)
      const own = trainedOf(together[index])
      expect(own.metrics.validation?.loss).toBeCloseTo(alone.metrics.validation?.loss ?? 0, 4)
    }
    expect(tf.memory().numTensors).toBe(before)
  })

  it('do not see how rows are cut into chunks, beyond rounding', async () => {
    const data = crowded()
    const ends = [1, 30, 31, 170, 300]
    const features = residentSource([plainOf(data)], data.width, ends)
    const cut = await solveOne({ ...data, features }, headOf({ l2: 0.01 }))
    const whole = await solveOne(data, headOf({ l2: 0.01 }))
    expect(cut.metrics.validation?.loss).toBeCloseTo(whole.metrics.validation?.loss ?? 0, 5)
  })

  it('train on every view as on more rows', async () => {
    const data = crowded()
    const other = plainOf(crowded({ seed: 2 }))
    const both = withViews(data, [plainOf(data), other])
    const trainOnly = data.splits.map((split) => split === 'train')
    const twice: TrainingData = {
      ...data,
      features: residentSource([Float32Array.of(...plainOf(data), ...other)], data.width),
      rows: 2 * data.rows,
      labels: [...data.labels, ...data.labels],
      splits: [
        ...data.splits,
        ...trainOnly.map((is) => (is ? 'train' : 'test') as 'train' | 'test'),
      ],
    }
    const views = await solveOne(both, headOf({ l2: 0.01 }, 2))
    const rows = await solveOne(twice, headOf({ l2: 0.01 }))
    expect(views.metrics.validation?.loss).toBeCloseTo(rows.metrics.validation?.loss ?? 0, 5)
    const plain = await solveOne(both, headOf({ l2: 0.01 }, 1))
    expect(plain.metrics.validation?.loss).not.toBeCloseTo(rows.metrics.validation?.loss ?? 0, 5)
  })

  it('end with the same bits when they are interrupted twelve times, after a round each', async () => {
    const data = crowded()
    const heads = [headOf({ epochs: 6 }), headOf({ l2: 0.3 }), headOf({ l2: 0.01 })]
    const plain = await solveTogether({ data, heads })
    const checkpoint = memoryCheckpoint()
    let outcomes: ExactOutcome[] | null = null
    for (let attempt = 0; outcomes === null && attempt < 20; attempt += 1) {
      const controller = new AbortController()
      outcomes = await solveTogether({
        ...{
          data: attempt < 12 ? interrupting(data, controller) : data,
          heads,
          checkpoint,
          signal: controller.signal,
        },
      }).catch((error: unknown) => {
        if (!isHeadstartError(error, 'INTERRUPTED')) throw error
        return null
      })
    }
    expect(checkpoint.saves).toBe(12)
    for (const [index, outcome] of (outcomes ?? []).entries()) {
      const [found, wanted] = [trainedOf(outcome), trainedOf(plain[index])]
      expect(found.history).toEqual(wanted.history)
      expect(Buffer.from(found.artifacts.weights).equals(wanted.artifacts.weights)).toBe(true)
    }
    expect(outcomes).toHaveLength(heads.length)
  })

  it('start anew from a state that is broken or of other heads', async () => {
    const data = crowded()
    const checkpoint = memoryCheckpoint()
    const controller = new AbortController()
    const stopped = solveTogether({
      ...{ data, heads: [headOf({ l2: 0.1 })], checkpoint, signal: controller.signal },
      onEpoch: () => controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' })
    const wanted = await solveOne(data, headOf())
    const saved = checkpoint.bytes as Uint8Array
    const broken = Uint8Array.from(saved, (value, index) => (index === 200 ? value ^ 1 : value))
    for (const bytes of [saved, broken, saved.slice(0, 20)]) {
      checkpoint.bytes = bytes
      const [outcome] = await solveTogether({ data, heads: [headOf()], checkpoint })
      expect(trainedOf(outcome).artifacts.weights).toEqual(wanted.artifacts.weights)
    }
  })

  it('are reported as diverged where the loss is not finite', async () => {
    const data = crowded()
    const features = plainOf(data).slice()
    const broken = withViews(data, [features.fill(Number.NaN, 0, data.width)])
    const outcomes = await solveTogether({ data: broken, heads: [headOf(), headOf({ l2: 1 })] })
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ state: 'diverged', epoch: 0, history: [] })
    }
    await expect(trainHead({ data: broken, spec: exactSpec(), seed: 1 })).rejects.toMatchObject({
      code: 'HEAD_DIVERGED',
    })
  })

  it('refuse data that does not fit', async () => {
    const heads = [headOf({ classWeights: { nobody: 2 } })]
    await expect(solveTogether({ data: crowded(), heads })).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringContaining('nobody'),
    })
  })
})

/** The data, aborting in the second pass over it: the first is whole, so that every attempt gets on. */
const interrupting = (data: TrainingData, controller: AbortController): TrainingData => {
  const { features } = data
  let passes = 0
  return {
    ...data,
    features: {
      ...features,
      read: (order, views) => {
        passes += 1
        if (passes === 2) controller.abort()
        return features.read(order, views)
      },
    },
  }
}
