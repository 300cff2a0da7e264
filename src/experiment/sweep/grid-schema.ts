// Owns how a grid is written: for every field its values. Several grids are their union.
import { z } from 'zod'
import type { JsonValue } from '../../identity/canonical-json.js'
import { checkList, isObject, membersOf, refuse } from './values.js'

const MAX_GRIDS = 100

/** The values of every field. */
export type Lists = Readonly<Record<string, readonly JsonValue[]>>

const parseLists = (
  input: unknown,
  context: z.RefinementCtx,
  path: readonly PropertyKey[],
): Lists =>
  Object.fromEntries(
    membersOf(input, context, path).map(([field, values]) => [
      field,
      checkList(field, values, context, [...path, field]),
    ]),
  )

const gridsSchema = z.unknown().transform((input, context): readonly Lists[] => {
  if (isObject(input)) return [parseLists(input, context, [])]
  const grids: readonly unknown[] = Array.isArray(input) ? input : []
  if (grids.length >= 1 && grids.length <= MAX_GRIDS)
    return grids.map((grid, index) => parseLists(grid, context, [index]))
  refuse(context, [], `expected an object with lists of values, or 1 to ${MAX_GRIDS} of them`)
  return z.NEVER
})

/** What was parsed can be parsed again and is the same. */
export const gridSchema = z.strictObject({ grid: gridsSchema })
export type Grid = z.output<typeof gridSchema>
