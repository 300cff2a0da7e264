// Owns finding the sample that takes the engine down: the shard is halved until one sample is left.
// What the halves compute is committed, so nothing is computed twice.
import { HeadstartError } from '../errors.js'
import type { SampleRange } from './stage-protocol.js'
import { StageDied } from './supervisor.js'

/** One bad sample costs as many deaths as its shard can be halved, and one more. */
const deathsOfOne = (rows: number): number => Math.ceil(Math.log2(Math.max(2, rows))) + 1

/** Each death costs the start of an engine: more bad samples than this are not looked for. */
const MAX_POISON = 8

interface Search {
  readonly maxDeaths: number
  deaths: number
  /** A range that ran: the engine itself is well. */
  hasRun: boolean
}

const assertWorthwhile = (search: Search, error: StageDied, rows: number): void => {
  const isEngine = !search.hasRun && search.deaths > deathsOfOne(rows) + 1
  if (!isEngine && search.deaths <= search.maxDeaths) return
  throw new HeadstartError(
    'ENGINE_UNAVAILABLE',
    `the engine process keeps dying, whatever the samples: ${error.message}`,
    { cause: error },
  )
}

/**
 * Runs a range; where the process dies, both halves of it.
 *
 * @param run runs the samples [from, to) in a process of their own.
 * @returns positions of samples that cannot be run alone.
 * @throws ENGINE_UNAVAILABLE when too much dies; whatever else a range throws.
 */
export const findPoison = async (
  whole: SampleRange,
  run: (range: SampleRange) => Promise<void>,
): Promise<readonly number[]> => {
  const rows = whole.to - whole.from
  const search: Search = { maxDeaths: MAX_POISON * deathsOfOne(rows), deaths: 0, hasRun: false }
  const look = async (range: SampleRange): Promise<readonly number[]> => {
    const { from, to } = range
    try {
      await run(range)
      search.hasRun = true
      return []
    } catch (error) {
      if (!(error instanceof StageDied)) throw error
      search.deaths += 1
      assertWorthwhile(search, error, rows)
      if (to - from <= 1) return [from]
    }
    const middle = from + Math.ceil((to - from) / 2)
    return [...(await look({ from, to: middle })), ...(await look({ from: middle, to }))]
  }
  return look(whole)
}

/** @param names of the samples that were found. */
export const poisonError = (names: readonly string[]): HeadstartError =>
  new HeadstartError('SAMPLE_INVALID', `the engine process dies on ${names.join(', ')}`, {
    details: names,
  })
