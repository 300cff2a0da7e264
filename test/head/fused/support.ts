// Owns what the tests of the fused trainer share: requests, made-up tasks, comparisons.

import { trainTogether } from '../../../src/head/fused/train-together.js'
import type { HeadOutcome, TogetherRequest } from '../../../src/head/fused/types.js'
import type { HeadSpecInput } from '../../../src/head/spec.js'
import { headSpecSchema, isPresetSpec, type PresetSpec } from '../../../src/head/spec.js'
import type { HeadArtifacts, TrainedHead, TrainingData } from '../../../src/head/types.js'
import { dataOf, normals } from '../synthetic.js'

export const presetOf = (input: HeadSpecInput): PresetSpec => {
  const spec = headSpecSchema.parse(input)
  if (!isPresetSpec(spec)) throw new Error('not a preset')
  return spec
}

export const requestOf = (
  data: TrainingData,
  inputs: readonly HeadSpecInput[],
  more: Partial<TogetherRequest> = {},
): TogetherRequest => ({
  data,
  heads: inputs.map((input) => ({
    spec: presetOf(input),
    seed: 3,
    views: data.features.viewCount,
  })),
  ...more,
})

export const together = (
  data: TrainingData,
  inputs: readonly HeadSpecInput[],
  more: Partial<TogetherRequest> = {},
): Promise<readonly HeadOutcome[]> => trainTogether(requestOf(data, inputs, more))

type Trained = Extract<HeadOutcome, { state: 'trained' }>

/** The outcome of a head that must have been trained. */
export const trainedOf = (outcome: HeadOutcome | undefined): Trained => {
  if (outcome?.state !== 'trained') throw new Error(`not trained: ${JSON.stringify(outcome)}`)
  return outcome
}

export const weightsOf = ({ weights }: HeadArtifacts): Float32Array =>
  new Float32Array(weights.slice().buffer)

/** The largest difference, relative where numbers are beyond 1. */
export const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} numbers`)
  return Array.from(a).reduce((most, value, index) => {
    const difference = Math.abs(value - (b[index] as number)) / Math.max(1, Math.abs(value))
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference)
  }, 0)
}

/** Every number in two documents of one shape, in order. */
export const numbersIn = (value: unknown): number[] => {
  if (typeof value === 'number') return [value]
  if (value === null || typeof value !== 'object') return []
  return Object.values(value).flatMap(numbersIn)
}

/** All metrics of a head, its history too. */
export const metricsIn = ({ history, metrics, bestEpoch, stoppedEarly }: TrainedHead): number[] => [
  bestEpoch,
  stoppedEarly ? 1 : 0,
  history.length,
  ...numbersIn(history),
  ...numbersIn([metrics.train, metrics.validation]),
]

/** Several labels a row, the features of each of them raised. */
export const manyLabels = (rows = 240): TrainingData => {
  const normal = normals(6)
  const made = Array.from({ length: rows }, (_, row) => {
    const label = [0, 1, 2].filter((index) => ((row * 7 + (row >> 3)) >> index) & 1)
    const features = Array.from(
      { length: 9 },
      (_, axis) => normal() + (label.includes(axis % 3) ? 1 : 0),
    )
    return { features, label }
  })
  return dataOf({ kind: 'multi', classes: ['a', 'b', 'c'] }, 9, made)
}

/** Two outputs of very different size, far from zero. */
export const twoOutputs = (rows = 300): TrainingData => {
  const normal = normals(8)
  const made = Array.from({ length: rows }, () => {
    const features = Array.from({ length: 5 }, normal)
    const [a = 0, b = 0, c = 0] = features
    return { features, label: [5000 + 300 * a - 200 * b + 20 * normal(), 0.01 * c - 3] }
  })
  return dataOf({ kind: 'regression', outputs: ['big', 'small'] }, 5, made)
}
