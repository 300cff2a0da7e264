// Owns what a user may write about a dataset: where it lies, what it is for, how it is split.
// Refuses unknown members and fractions that do not add up.
import { z } from 'zod'

/** The `dataset` member of an experiment. Relative paths are resolved by the caller's base folder. */
export const datasetSpecSchema = z.strictObject({
  /** A folder of class folders, a .csv or .jsonl table, a .npy or .arrow file, an s3:// address. */
  from: z.string().min(1),
  target: z
    .enum(['single', 'multi', 'regression'])
    .optional()
    .describe('default: single, or what a registered dataset was added as'),
  /** Labels of a tensor file: .npy, .csv or .jsonl, one row a sample. */
  labels: z.string().min(1).optional(),
})
export type DatasetSpec = z.output<typeof datasetSpecSchema>
export type TargetKind = NonNullable<DatasetSpec['target']>

const SUM_TOLERANCE = 1e-9

const fraction = z.number().min(0).max(1)

/** The `split` member of an experiment: fractions of the key space. */
export const splitSpecSchema = z
  .strictObject({ train: fraction, validation: fraction, test: fraction })
  .refine(({ train }) => train > 0, { path: ['train'], error: 'must be greater than 0' })
  .refine(
    ({ train, validation, test }) => Math.abs(train + validation + test - 1) <= SUM_TOLERANCE,
    {
      error: 'train, validation and test must sum to 1',
    },
  )
  .default({ train: 0.8, validation: 0.1, test: 0.1 })
export type SplitSpec = z.output<typeof splitSpecSchema>

export const DEFAULT_SPLIT: SplitSpec = splitSpecSchema.parse(undefined)
