// Owns measuring several peers side by side: in interleaved rounds, so that what else the machine does
// meets all of them, and the medians and ratios of those rounds.
import { setTimeout as sleep } from 'node:timers/promises'
import { table } from '../../dist/src/cli/tables.js'
import { median } from './numbers.mjs'

/** Threads of one peer spin for a moment after its last batch. */
const PAUSE_MS = 300

/**
 * A B C, A B C, ... @returns for each name its results, one a round.
 *
 * @param measure (name) => { images, seconds, cpuSeconds, ... }
 */
export const inRounds = async (names, rounds, measure) => {
  const results = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of names) {
      results[name].push(await measure(name))
      await sleep(PAUSE_MS)
    }
    process.stderr.write(`round ${round} of ${rounds}\n`)
  }
  return results
}

export const rateOf = ({ images, seconds }) => images / seconds

/** Medians over the rounds; `ratio` is that of `first` to the peer within each round. */
export const summarise = (results, first) =>
  Object.entries(results).map(([name, own]) => {
    const rates = own.map(rateOf)
    return {
      name,
      rate: median(rates),
      rates,
      cpuMs: median(own.map(({ images, cpuSeconds }) => (1000 * cpuSeconds) / images)),
      ratio: median(own.map((result, i) => rateOf(results[first][i]) / rateOf(result))),
    }
  })

const showRates = (rates) => rates.map((rate) => rate.toFixed(1)).join(' ')

/** @param versions peer to what it says it is; what is no peer has no ratio. */
export const summaryTable = (summary, versions, first) =>
  table(
    summary.map(({ name, rate, rates, cpuMs, ratio }) => [
      name,
      rate.toFixed(1),
      showRates(rates),
      cpuMs.toFixed(1),
      name === first || !(name in versions) ? '' : ratio.toFixed(2),
      versions[name] ?? '',
    ]),
    ['', 'images/s', 'by round', 'CPU ms/image', `${first} / it`, 'version'],
  )
