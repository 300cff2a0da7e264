// Owns the shape of a comparison of two runs over HTTP.
import { z } from 'zod'
import { sha256Schema } from '../features/shard.js'
import type { Comparison } from '../model/compare.js'

const count = z.int().nonnegative()
const difference = z.strictObject({ name: z.string(), a: z.json(), b: z.json() })

export const comparisonSchema = z.strictObject({
  a: sha256Schema,
  b: sha256Schema,
  kind: z.enum(['single', 'multi', 'regression']),
  samples: count.describe('shared test samples that were compared'),
  relabelled: count.describe('shared samples with another label in each dataset; left out'),
  measure: z.enum(['accuracy', 'meanAbsoluteError']),
  values: z.strictObject({ a: z.number(), b: z.number() }),
  table: z
    .strictObject({ bothRight: count, onlyA: count, onlyB: count, bothWrong: count })
    .nullable(),
  test: z.union([
    z.strictObject({
      test: z.enum(['mcnemar-exact', 'mcnemar-chi-square']),
      statistic: z.number().nullable(),
      pValue: z.number(),
    }),
    z.strictObject({
      test: z.enum(['wilcoxon-exact', 'wilcoxon-normal']),
      statistic: z.number(),
      pValue: z.number(),
    }),
  ]),
  significant: z.boolean().describe('pValue < 0.05'),
  fields: z.array(difference).describe('what sets the trainings apart'),
  metrics: z.array(difference).describe('metrics of the records, each on its own splits'),
})
comparisonSchema satisfies z.ZodType<Comparison>
