// Owns the parameters that several routes take.
import { z } from 'zod'

/** A name, an id, or the first 6 or more characters of an id. */
export const referenceParams = z.strictObject({ reference: z.string().min(1) })

export const forceQuery = z.strictObject({
  force: z.stringbool().default(false).describe('remove it although something needs it'),
})
