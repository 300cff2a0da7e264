// Owns the look at all heads of an experiment before anything is extracted.
import type { Dataset } from '../dataset/types.js'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { assertHeadFits } from '../head/assert-fits.js'
import type { HeadSpec } from '../head/spec.js'
import { taskFaults, untrainable } from '../head/validate.js'

const MAX_FAULTS = 20

/** Heads of one shape are built alike: one of them is enough to see whether that works. */
const shapeOf = (spec: HeadSpec): unknown => {
  if (spec.kind === 'custom') return spec.topology
  return spec.kind === 'mlp' ? `mlp ${spec.width} x ${spec.depth}` : spec.kind
}

/** What is wrong with one head; null when nothing is. */
const faultOf = async (check: () => Promise<void> | void): Promise<HeadstartError | null> => {
  try {
    await check()
    return null
  } catch (error) {
    if (isHeadstartError(error, 'HEAD_INVALID')) return error
    throw error
  }
}

/**
 * Every head against the features and the task, before hours of extraction: one of each shape is
 * built, so that a thousand heads are no thousand models.
 *
 * @throws HEAD_INVALID with every fault, the first twenty where there are more.
 */
export const assertHeadsFit = async (
  heads: readonly HeadSpec[],
  { target, samples }: Dataset,
  featureShape: readonly number[],
): Promise<void> => {
  const splits = new Set(samples.map(({ split }) => split))
  const seen = new Set<unknown>()
  const faults: string[] = []
  for (const [index, spec] of heads.entries()) {
    const request = { spec, featureShape, target, splits }
    const shape = shapeOf(spec)
    const error = await faultOf(() => {
      if (!seen.has(shape)) return assertHeadFits(request)
      const found = taskFaults(request)
      if (found.length > 0) throw untrainable(found)
    })
    seen.add(shape)
    const details = error === null || error.details.length > 0 ? error?.details : [error.message]
    faults.push(...(details ?? []).map((detail) => `heads.${index}: ${detail}`))
  }
  if (faults.length === 0) return
  const [only = ''] = faults
  const message = faults.length === 1 ? only : `${faults.length} faults in the heads`
  const more = faults.length - MAX_FAULTS
  throw new HeadstartError('HEAD_INVALID', message, {
    details: [...faults.slice(0, MAX_FAULTS), ...(more > 0 ? [`and ${more} more`] : [])],
  })
}
