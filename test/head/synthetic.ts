// Owns small made-up training data for the tests of stage 2.
import type { Split, Target } from '../../src/dataset/types.js'
import { residentSource } from '../../src/features/feature-source.js'
import { createRandom } from '../../src/head/random.js'
import { type HeadSpec, type HeadSpecInput, headSpecSchema } from '../../src/head/spec.js'
import type { TrainingData } from '../../src/head/types.js'

export const specOf = (input: HeadSpecInput): HeadSpec => headSpecSchema.parse(input)

/** Sum of 12 uniforms less 6: close enough to a standard normal. */
export const normals = (seed: number): (() => number) => {
  const random = createRandom('test', seed)
  return () => Array.from({ length: 12 }, () => random.float()).reduce((a, b) => a + b, -6)
}

const splitOf = (row: number): Split =>
  row % 10 === 8 ? 'validation' : row % 10 === 9 ? 'test' : 'train'

export const dataOf = (
  target: Target,
  width: number,
  rows: { readonly features: readonly number[]; readonly label: readonly number[] }[],
  options: { readonly splits?: readonly Split[]; readonly featureShape?: readonly number[] } = {},
): TrainingData => ({
  features: residentSource([Float32Array.from(rows.flatMap(({ features }) => features))], width),
  rows: rows.length,
  width,
  featureShape: options.featureShape ?? [width],
  target,
  labels: rows.map(({ label }) => label),
  splits: options.splits ?? rows.map((_, row) => splitOf(row)),
})

/** Features of view 0, [rows, width]. */
export const plainOf = ({ features }: TrainingData): Float32Array =>
  features.resident?.[0] ?? new Float32Array(0)

/** The same data with other features in its views. */
export const withViews = (data: TrainingData, views: readonly Float32Array[]): TrainingData => ({
  ...data,
  features: residentSource(views, data.width),
})

/** Gaussian blobs, one a class, `distance` apart. */
export const blobs = (options: {
  readonly rows?: number
  readonly width?: number
  readonly classes?: number
  readonly distance?: number
  readonly seed?: number
  readonly featureShape?: readonly number[]
}): TrainingData => {
  const { rows = 200, width = 16, classes = 3, distance = 4, seed = 1 } = options
  const normal = normals(seed)
  const names = Array.from({ length: classes }, (_, index) => `class-${index}`)
  const made = Array.from({ length: rows }, (_, row) => {
    const label = Math.floor(row / 10) % classes
    const features = Array.from(
      { length: width },
      (_, axis) => normal() + (axis % classes === label ? distance : 0),
    )
    return { features, label: [label] }
  })
  const shape = options.featureShape === undefined ? {} : { featureShape: options.featureShape }
  return dataOf({ kind: 'single', classes: names }, width, made, shape)
}
