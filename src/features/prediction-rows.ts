// Owns what is predicted of each sample of a split, and what may stand there; of no file format.
import { z } from 'zod'
import { sha256Schema } from './shard.js'

export const predictionMetadataSchema = z.strictObject({
  version: z.literal(1),
  runId: sha256Schema,
  split: z.enum(['train', 'validation', 'test']),
  kind: z.enum(['single', 'multi', 'regression']),
  /** Classes or outputs, in the order of the head's units. */
  names: z.array(z.string()),
})
export type PredictionMetadata = z.output<typeof predictionMetadataSchema>

const classIndex = z.int().nonnegative()
/** A softmax in float32 may end a last bit above 1. */
const probability = z
  .number()
  .min(0)
  .max(1 + 1e-6)

export const classRowSchema = z.strictObject({
  key: sha256Schema,
  /** Class indices. */
  actual: classIndex,
  predicted: classIndex,
  /** Probability of the predicted class. */
  confidence: probability,
  right: z.boolean(),
  /** Probability of the actual class. */
  trueProbability: probability,
})
/** One sample of a single-label split. */
export type ClassRow = Readonly<z.output<typeof classRowSchema>>

export const labelsRowSchema = z.strictObject({
  key: sha256Schema,
  /** Sorted class indices. */
  actual: z.array(classIndex),
  predicted: z.array(classIndex),
  /** Whether every label is right. */
  right: z.boolean(),
  /** One a class. */
  probabilities: z.array(probability),
})
/** One sample of a multi-label split. */
export type LabelsRow = Readonly<z.output<typeof labelsRowSchema>>

export const valuesRowSchema = z.strictObject({
  key: sha256Schema,
  /** One value an output, in the target's units. */
  actual: z.array(z.number()),
  predicted: z.array(z.number()),
})
/** One sample of a regression. */
export type ValuesRow = Readonly<z.output<typeof valuesRowSchema>>

export type PredictionRows =
  | { readonly kind: 'single'; readonly rows: readonly ClassRow[] }
  | { readonly kind: 'multi'; readonly rows: readonly LabelsRow[] }
  | { readonly kind: 'regression'; readonly rows: readonly ValuesRow[] }

export interface PredictionTable {
  readonly metadata: PredictionMetadata
  readonly predictions: PredictionRows
}
