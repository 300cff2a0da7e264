// Predictions of published runs: the same from features that are open, streamed or stored, in as few passes
// over them as memory allows.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadDataset } from '../../src/dataset/save.js'
import type { Dataset } from '../../src/dataset/types.js'
import { type FeatureSet, loadFeatureSet } from '../../src/features/feature-set.js'
import type { FeatureSource } from '../../src/features/feature-source.js'
import { type OpenFeatures, openFeatures } from '../../src/features/open-features.js'
import { loadPredictions } from '../../src/model/prediction-files.js'
import { roundsOf } from '../../src/model/prediction-rounds.js'
import { type PredictSplitsRequest, predictSplits } from '../../src/model/predictions.js'
import { loadRun, type RunRecord } from '../../src/model/run-record.js'
import { copyOf, failureOf, type Installation, install, runTiny } from '../catalog/support.js'
import { streamingBudgetOf } from '../support/feature-sets.js'

let place: Installation
let dataset: Dataset
let set: FeatureSet
let runs: readonly RunRecord[]
beforeAll(async () => {
  place = await install()
  const { runs: found } = await runTiny(place, {
    heads: [
      { kind: 'linear', epochs: 2 },
      { kind: 'mlp', width: 8, epochs: 2 },
      { kind: 'linear', epochs: 3, learningRate: 0.05 },
    ],
    split: { train: 0.5, validation: 0.25, test: 0.25 },
  })
  runs = await Promise.all(
    found.map(async ({ id }) => {
      const run = await loadRun(place.store, id)
      if (run === null) throw new Error('no run was published')
      return run
    }),
  )
  const [first] = runs
  dataset = await loadDataset(place.store, first?.dataset.datasetId ?? '')
  const id = first?.extractors[0]?.featureSetId ?? ''
  set = (await loadFeatureSet(place.store, id)) as FeatureSet
})

/** The store of an installation on which nothing was predicted yet. */
const unpredicted = async () => {
  const { store } = await copyOf(place)
  for (const { runId } of runs)
    for (const split of ['validation', 'test'])
      await store.delete(`runs/${runId}/predictions-${split}.arrow`)
  return store
}

/** Features that count how often somebody goes over them. */
const countPasses = ({ source, keys }: Pick<OpenFeatures, 'source' | 'keys'>) => {
  let passes = 0
  const counted: FeatureSource = {
    ...source,
    read: (order, views) => {
      passes += 1
      return source.read(order, views)
    },
  }
  return { features: { source: counted, keys }, passes: () => passes }
}

const wantAll = () => runs.map((run) => ({ run, splits: ['validation', 'test'] as const }))

/** Everything that is predicted, in the order in which it is given. */
const collect = async (request: Omit<PredictSplitsRequest, 'dataset' | 'take' | 'wanted'>) => {
  const taken: unknown[] = []
  await predictSplits({
    ...request,
    dataset,
    wanted: wantAll(),
    take: async ({ runId }, predictions) => {
      taken.push({ runId, predictions })
    },
  })
  return taken
}

describe('predictions of several heads', () => {
  it('are the same from features in memory, streamed and stored', async () => {
    const stored = await collect({ store: await unpredicted() })
    expect(stored).toHaveLength(3)
    const sets = [set]
    for (const budgetBytes of [Number.POSITIVE_INFINITY, streamingBudgetOf(sets, 1)]) {
      const store = await unpredicted()
      const features = await openFeatures(store, sets, { budgetBytes })
      expect(features.source.resident === null).toBe(Number.isFinite(budgetBytes))
      try {
        expect(await collect({ store, features })).toEqual(stored)
      } finally {
        await features.close()
      }
    }
  })

  it('take one pass for all heads and splits, and none once they are kept', async () => {
    const store = await unpredicted()
    const opened = await openFeatures(store, [set])
    const { features, passes } = countPasses(opened)
    const tensors = tf.memory().numTensors
    const first = await collect({ store, features })
    expect(passes()).toBe(1)
    expect(tf.memory().numTensors).toBe(tensors)
    expect(first).toMatchObject(runs.map(({ runId }) => ({ runId })))
    for (const run of runs)
      expect(await loadPredictions(store, run, 'test')).toEqual(
        (first as { runId: string; predictions: { test: unknown } }[]).find(
          ({ runId }) => runId === run.runId,
        )?.predictions.test,
      )
    expect(await collect({ store, features })).toEqual(first)
    expect(passes()).toBe(1)
  })

  it('take a pass each where two do not fit in memory, and are the same', async () => {
    const expected = await collect({ store: await unpredicted() })
    const store = await unpredicted()
    const { features, passes } = countPasses(await openFeatures(store, [set]))
    expect(await collect({ store, features, maxValues: 1 })).toEqual(expected)
    expect(passes()).toBe(3)
  })

  it('compute only what is not kept', async () => {
    const store = await unpredicted()
    const expected = await collect({ store })
    await store.delete(`runs/${runs[1]?.runId}/predictions-validation.arrow`)
    const { features, passes } = countPasses(await openFeatures(store, [set]))
    expect(await collect({ store, features })).toEqual(expected)
    expect(passes()).toBe(1)
  })

  it('stop when they are interrupted, and leave no tensor', async () => {
    const store = await unpredicted()
    const tensors = tf.memory().numTensors
    for (const features of [null, await openFeatures(store, [set])]) {
      const failure = await failureOf(collect({ store, features, signal: AbortSignal.abort() }))
      expect(failure.code).toBe('INTERRUPTED')
    }
    expect(tf.memory().numTensors).toBe(tensors)
  })
})

describe('rounds of heads', () => {
  const samples = (count: number) =>
    Array.from({ length: count }, (_, row) => ({
      ...{ key: `${row}`, names: ['a'], label: [0] },
      split: 'validation' as const,
    }))
  const member = (weightBytes: number, splits: readonly 'validation'[] = ['validation']) => {
    const run = runs[0] as RunRecord
    const { artifacts } = run
    const weights = { ...artifacts.weights, bytes: weightBytes }
    const target = { kind: 'single' as const, classes: Array.from({ length: 10 }, String) }
    return { run: { ...run, target, artifacts: { ...artifacts, weights } }, splits }
  }

  it('hold as many as their outputs and weights allow, in order', () => {
    const members = [member(0), member(0), member(400), member(0), member(0)]
    // 1,000 outputs a head, and 100 weights of one of them.
    const rounds = roundsOf(members, { samples: samples(100) }, 2000)
    expect(rounds.map((round) => round.length)).toEqual([2, 1, 2])
    expect(rounds.flat()).toEqual(members)
  })

  it('hold 64 heads of 10 classes on 200,000 rows in two', () => {
    const members = Array.from({ length: 64 }, () => member(0))
    const rounds = roundsOf(members, { samples: samples(200_000) })
    expect(rounds.map((round) => round.length)).toEqual([33, 31])
  })

  it('are one for a head that is too large, and those whose predictions are kept go along', () => {
    const members = [member(1e9), member(1e9, []), member(0)]
    const rounds = roundsOf(members, { samples: samples(1) }, 10)
    expect(rounds.map((round) => round.length)).toEqual([2, 1])
    expect(roundsOf([], { samples: [] })).toEqual([])
  })
})
