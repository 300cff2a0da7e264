// Owns the part of a model card that is about its files: which there are, what they take and give, and how
// far they are from the run.
import { z } from 'zod'
import { sha256Schema } from '../features/shard.js'

export const exportCheckSchema = z.strictObject({
  /** Seeded inputs that went through the run and through the written files. */
  samples: z.int().positive(),
  /** Largest difference between the two, over all outputs of all files. */
  maxAbsDiff: z.number().nonnegative(),
  files: z.array(
    z.strictObject({
      path: z.string(),
      loadedWith: z.enum(['tf.loadLayersModel', 'onnxruntime']),
      maxAbsDiff: z.number().nonnegative(),
      /** Allowed difference relative to max(1, |output|): absolute for probabilities. */
      tolerance: z.number().nonnegative(),
    }),
  ),
})
export type ExportCheck = z.infer<typeof exportCheckSchema>

const shape = z.array(z.int().positive())

const onnxFileSchema = z.strictObject({
  path: z.string(),
  /** float32, normalised, as the base takes it. */
  input: z.strictObject({
    name: z.string(),
    /** Without the batch axis. */
    shape,
    /** Null where the base takes rows, not images. */
    layout: z.enum(['channels-last', 'channels-first']).nullable(),
    /** Samples in every run, where the base fixes them; null: any number. */
    samples: z.int().positive().nullable(),
  }),
  output: z.strictObject({ name: z.string(), shape }),
  /** Version of the standard operators. */
  operators: z.int().positive(),
})

export type OnnxFile = z.infer<typeof onnxFileSchema>

/** Inputs of the check and what the run predicts of them, float32 in NumPy's format. */
const samplesSchema = z.strictObject({
  count: z.int().positive(),
  /** [count, ...input], in the order of axes that the composed models take. */
  input: z.string(),
  /** [count, ...headInputShape] */
  features: z.string(),
  /** [count, outputs] */
  expected: z.string(),
})

export const filesSchema = z.strictObject({
  /** TF.js: features to outputs; null where only ONNX was asked for. */
  head: z.string().nullable(),
  /** TF.js: normalised input to outputs; null where `notExported` says why, or nobody asked for it. */
  model: z.string().nullable(),
  /** Normalised input to outputs. */
  onnx: onnxFileSchema.nullable(),
  /** Null where one sample is too large. */
  samples: samplesSchema.nullable(),
  /** Every file of these, relative to the card. */
  all: z.array(
    z.strictObject({ path: z.string(), bytes: z.int().nonnegative(), sha256: sha256Schema }),
  ),
})

/** What the run cannot have, and why. */
export const notExportedSchema = z.array(
  z.strictObject({ part: z.enum(['model', 'onnx']), reason: z.string() }),
)

/** BatchNormalizations without which `model` was written: into neighbours, and as fixed layers. */
export const foldedSchema = z.strictObject({
  folded: z.int().nonnegative(),
  replaced: z.int().nonnegative(),
})

export type LeftOut = z.infer<typeof notExportedSchema>[number]
export type FoldedCounts = z.infer<typeof foldedSchema>
export type SampleFiles = z.infer<typeof samplesSchema>

/** What a part is called in sentences. */
export const PART_WORDS = {
  model: 'base and head as one TF.js model',
  onnx: 'an ONNX model',
} as const
