// Owns finding the sample that takes the engine down: the shard is halved until one sample is left.
// What the halves compute is committed, so nothing is computed twice.
import { HeadstartError } from '../errors.js'
import type { SampleRange } from './stage-protocol.js'
import { StageDied } from './supervisor.js'

/**
 * More deaths than a few bad samples among 16,384 rows can cause: then it is not the samples. Each
 * costs the start of an engine.
 */
const MAX_DEATHS = 24

/**
 * Runs a range; where the process dies, both halves of it.
 *
 * @param run runs the samples [from, to) in a process of their own.
 * @returns positions of samples that cannot be run alone.
 * @throws ENGINE_UNAVAILABLE when too much dies; whatever else a range throws.
 */
export const findPoison = async (
  range: SampleRange,
  run: (range: SampleRange) => Promise<void>,
  seen: { deaths: number } = { deaths: 0 },
): Promise<readonly number[]> => {
  const { from, to } = range
  try {
    await run(range)
    return []
  } catch (error) {
    if (!(error instanceof StageDied)) throw error
    seen.deaths += 1
    if (seen.deaths > MAX_DEATHS)
      throw new HeadstartError(
        'ENGINE_UNAVAILABLE',
        `the engine process keeps dying, whatever the samples: ${error.message}`,
        { cause: error },
      )
    if (to - from <= 1) return [from]
  }
  const middle = from + Math.ceil((to - from) / 2)
  return [
    ...(await findPoison({ from, to: middle }, run, seen)),
    ...(await findPoison({ from: middle, to }, run, seen)),
  ]
}

/** @param names of the samples that were found. */
export const poisonError = (names: readonly string[]): HeadstartError =>
  new HeadstartError('SAMPLE_INVALID', `the engine process dies on ${names.join(', ')}`, {
    details: names,
  })
