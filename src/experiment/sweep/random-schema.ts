// Owns how a random search is written: for every field a range or a list to draw from.
import { z } from 'zod'
import type { JsonValue } from '../../identity/canonical-json.js'
import { OBJECT_FIELDS } from './fields.js'
import { MAX_HEADS } from './list-schema.js'
import { checkList, checkValue, forward, isObject, membersOf } from './values.js'

const ends = (end: z.ZodNumber) =>
  z.tuple([end, end]).refine(([least, most]) => least <= most, 'the least comes first')

const RANGES = {
  logUniform: z.strictObject({ logUniform: ends(z.number().gt(0)) }),
  uniform: z.strictObject({ uniform: ends(z.number()) }),
  int: z.strictObject({ int: ends(z.int()) }),
}
export const rangeSchema = z.union([RANGES.logUniform, RANGES.uniform, RANGES.int])
/** [least, most]. */
export type Range = z.output<typeof rangeSchema>

/** Where the values of every field are drawn from; from a list evenly. */
export type Draws = Readonly<Record<string, Range | readonly JsonValue[]>>

const parseRange = (
  field: string,
  input: Record<string, unknown>,
  context: z.RefinementCtx,
): Range => {
  const kind = Object.keys(RANGES).find((name) => Object.hasOwn(input, name)) as
    | keyof typeof RANGES
    | undefined
  const range = RANGES[kind ?? 'uniform'].safeParse(input)
  if (!range.success) {
    forward(range.error.issues, context, [field])
    return z.NEVER
  }
  for (const end of Object.values(range.data).flat()) checkValue(field, end, context, [field])
  return range.data
}

const drawsSchema = z
  .unknown()
  .transform(
    (input, context): Draws =>
      Object.fromEntries(
        membersOf(input, context, []).map(([field, from]) => [
          field,
          isObject(from) && !OBJECT_FIELDS.has(field)
            ? parseRange(field, from, context)
            : checkList(field, from, context, [field]),
        ]),
      ),
  )

/** What was parsed can be parsed again and is the same. */
export const randomSchema = z.strictObject({
  random: drawsSchema,
  count: z.int().min(1).max(MAX_HEADS).describe('how many heads are drawn'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('of the draws'),
})
export type RandomSearch = z.output<typeof randomSchema>
