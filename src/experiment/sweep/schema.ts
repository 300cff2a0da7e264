// Owns how a sweep is written in an experiment: its heads, how the best is chosen, cross-validation
// and halving. Values are checked one by one; combinations of them are planSweep's to refuse.
import { z } from 'zod'
import { SELECT_METRICS } from '../../model/sweep-record.js'
import { type Grid, gridSchema } from './grid-schema.js'
import { headsJsonSchema } from './json-schema.js'
import { type HeadEntry, type HeadEntryInput, listSchema } from './list-schema.js'
import { type RandomSearch, randomSchema } from './random-schema.js'
import { forward, isObject, refuse } from './values.js'

export type Heads = readonly HeadEntry[] | Grid | RandomSearch
export type HeadsInput =
  | readonly HeadEntryInput[]
  | z.input<typeof gridSchema>
  | z.input<typeof randomSchema>

const schemaFor = (input: unknown): z.ZodType<Heads> | null => {
  if (!isObject(input)) return listSchema
  if (Object.hasOwn(input, 'grid')) return gridSchema
  return Object.hasOwn(input, 'random') || Object.hasOwn(input, 'count') ? randomSchema : null
}

/** What was parsed can be parsed again and is the same. By hand: a union would tell every way's faults. */
export const headsSchema = z
  .unknown()
  .transform((input, context): Heads => {
    const schema = schemaFor(input)
    const parsed = schema?.safeParse(input)
    if (parsed?.success) return parsed.data
    if (parsed === undefined)
      refuse(
        context,
        [],
        'expected a list of heads, {"grid": {...}} or {"random": {...}, "count": n}',
      )
    else forward(parsed.error.issues, context)
    return z.NEVER
  })
  .meta({ ...headsJsonSchema({ canNameFiles: false }) }) as unknown as z.ZodType<Heads, HeadsInput>

export const selectSchema = z
  .enum(SELECT_METRICS)
  .describe(
    'the validation metric that the best head is chosen by; default accuracy, macroF1 for multi, r2 for regression',
  )

export const foldsSchema = z
  .int()
  .min(2)
  .max(20)
  .describe(
    'cross-validation: every head is trained once more without each fold of the train split',
  )

export const halvingSchema = z
  .strictObject({
    epochs: z.int().min(1).max(10_000).describe('epochs until heads are compared first'),
    factor: z.int().min(2).max(10).describe('the best 1 / factor go on, factor times as long'),
  })
  .describe('successive halving (Jamieson and Talwalkar 2016)')
export type Halving = z.output<typeof halvingSchema>
