// Owns heads that are written out one by one, each with the place where it is trained.
import { z } from 'zod'
import { type HeadSpec, type HeadSpecInput, headSpecSchema, written } from '../../head/spec.js'
import { type Place, placeShape } from './fields.js'
import { forward } from './values.js'

export const MAX_HEADS = 1000

/** A head of a list: complete, and where it is trained if it says so. */
export type HeadEntry = HeadSpec & Place
export type HeadEntryInput = HeadSpecInput & Place

/** A head apart from its place. */
export const splitPlace = <T extends Place>(
  entry: T,
): { readonly head: Omit<T, keyof Place>; readonly place: Place } => {
  const { cut, pooling, views, ...head } = entry
  return {
    head,
    place: {
      ...(cut === undefined ? {} : { cut }),
      ...(pooling === undefined ? {} : { pooling }),
      ...(views === undefined ? {} : { views }),
    },
  }
}

const { shape } = z.strictObject(placeShape).partial()
const [linear, mlp, custom] = written.options

const entrySchema = z
  .discriminatedUnion('kind', [linear.extend(shape), mlp.extend(shape), custom.extend(shape)])
  .transform((entry, context): HeadEntry => {
    const { head, place } = splitPlace(entry as typeof entry & Place)
    const parsed = headSpecSchema.safeParse(head)
    if (parsed.success) return { ...parsed.data, ...place }
    forward(parsed.error.issues, context)
    return z.NEVER
  })

/** What was parsed can be parsed again and is the same. */
export const listSchema = z.array(entrySchema).min(1).max(MAX_HEADS)
