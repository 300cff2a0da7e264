// Owns the arithmetic and the options of the benchmarks.
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Runs `work` and returns its seconds. */
export const secondsOf = async (work) => {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** Runs `work` on `items` things: things a second, and CPU milliseconds a thing over all threads. */
export const measureRate = async (items, work) => {
  const before = process.cpuUsage()
  const seconds = await secondsOf(work)
  const { user, system } = process.cpuUsage(before)
  return { rate: items / seconds, cpuMs: (user + system) / 1000 / items }
}

/** Command line options: every default is a string, as on the command line. */
export const parseOptions = (defaults) =>
  parseArgs({
    options: Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value }]),
    ),
  }).values

/** @throws Error when the option is no whole number of at least `least`. */
export const wholeNumber = (name, text, least = 1) => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  throw new Error(`--${name} ${text}: a whole number of at least ${least} is needed`)
}

/** What else the machine did decides what a time means. */
export const describeMachine = () =>
  `node ${process.version}, ${availableParallelism()} cores, load average ${loadavg()[0].toFixed(1)}`
