// Owns the look at all heads of an experiment before anything is extracted.
import type { Dataset } from '../dataset/types.js'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { assertHeadFits } from '../head/assert-fits.js'
import type { HeadSpec } from '../head/spec.js'

/**
 * Every head against the features and the task, all faults at once, before hours of extraction.
 *
 * @throws HEAD_INVALID.
 */
export const assertHeadsFit = async (
  heads: readonly HeadSpec[],
  { target, samples }: Dataset,
  featureShape: readonly number[],
): Promise<void> => {
  const splits = new Set(samples.map(({ split }) => split))
  const faults: string[] = []
  for (const [index, spec] of heads.entries()) {
    try {
      await assertHeadFits({ spec, featureShape, target, splits })
    } catch (error) {
      if (!isHeadstartError(error, 'HEAD_INVALID')) throw error
      const details = error.details.length > 0 ? error.details : [error.message]
      faults.push(...details.map((detail) => `heads.${index}: ${detail}`))
    }
  }
  if (faults.length === 0) return
  const [only = ''] = faults
  const message = faults.length === 1 ? only : `${faults.length} faults in the heads`
  throw new HeadstartError('HEAD_INVALID', message, { details: faults })
}
