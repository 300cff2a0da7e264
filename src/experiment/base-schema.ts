// Owns the `base` of an experiment: where it comes from and the cuts where its features are read. One
// cut or a list may be written; what was parsed always is a list.
import { z } from 'zod'
import { POOLINGS } from '../extractor/spec.js'

const MAX_CUTS = 16
const MAX_CUT_LENGTH = 1024

const cutSchema = z.string().min(1).max(MAX_CUT_LENGTH)
const poolingSchema = z.enum(POOLINGS)

/** One place of a base where features are read, and how they are pooled there. */
export interface Cut {
  readonly cut: string
  readonly pooling: (typeof POOLINGS)[number]
}

/** The complete list, from the short ways to write it. */
const cutsOf = (base: BaseInput): Cut[] => {
  const { cut, cuts = cut === undefined ? [] : [cut], pooling = 'avg' } = base
  return cuts.map((entry) =>
    typeof entry === 'string'
      ? { cut: entry, pooling }
      : { cut: entry.cut, pooling: entry.pooling ?? pooling },
  )
}

const baseInputSchema = z.strictObject({
  from: z.string().min(1).describe('a folder, a model.json, an http(s) URL or a registered name'),
  cut: cutSchema
    .optional()
    .describe('layer where features are read; see `headstart base layers`; either this or cuts'),
  pooling: poolingSchema
    .optional()
    .describe('over the spatial axes; without effect on flat layers; default avg'),
  cuts: z
    .array(
      z.union([cutSchema, z.strictObject({ cut: cutSchema, pooling: poolingSchema.optional() })]),
    )
    .min(1)
    .max(MAX_CUTS)
    .optional()
    .describe('several places where features are read, in one forward pass'),
})
type BaseInput = z.infer<typeof baseInputSchema>

const isUnique = (cuts: readonly Cut[]): boolean =>
  new Set(cuts.map(({ cut, pooling }) => JSON.stringify([cut, pooling]))).size === cuts.length

/** A check that also runs where another member is at fault, so that all faults are told at once. */
const always = {
  when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null,
}

/** `cut` or `cuts` in, always a list out. What was parsed can be parsed again and is the same. */
export const baseSchema = baseInputSchema
  .refine(({ cut, cuts }) => cut !== undefined || cuts !== undefined, {
    ...always,
    path: ['cut'],
    error: 'missing (string), or a list in cuts',
  })
  .refine(({ cut, cuts }) => cut === undefined || cuts === undefined, {
    ...always,
    path: ['cuts'],
    error: 'either cut or cuts, not both',
  })
  .refine((base) => isUnique(cutsOf(base)), {
    path: ['cuts'],
    error: 'a cut stands twice with the same pooling',
  })
  .transform((base) => ({ from: base.from, cuts: cutsOf(base) }))
