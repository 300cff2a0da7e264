// Owns the arithmetic and the options of the benchmarks.
import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
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

/** Command line options: a default is a string, as on the command line, or false for a switch. */
export const parseOptions = (defaults) =>
  parseArgs({
    options: Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [
        name,
        { type: value === false ? 'boolean' : 'string', default: value },
      ]),
    ),
  }).values

/** `a,b` as a list; nothing as an empty one. */
export const listOf = (text) => text.split(',').filter(Boolean)

/** @throws Error when the option is no whole number of at least `least`. */
export const wholeNumber = (name, text, least = 1) => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  throw new Error(`--${name} ${text}: a whole number of at least ${least} is needed`)
}

/** What else the machine did decides what a time means. */
export const describeMachine = () =>
  `node ${process.version}, ${availableParallelism()} cores, load average ${loadavg()[0].toFixed(1)}`

/** NVIDIA GPUs by name and driver; none where the tool is missing. */
const listGpus = () => {
  const args = ['--query-gpu=name,driver_version', '--format=csv,noheader']
  const { stdout, status } = spawnSync('nvidia-smi', args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split('\n') : []
}

/** What the results of a benchmark are worth on another machine. */
export const describeHardware = () => ({
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
  cores: availableParallelism(),
  memoryGb: Math.round(totalmem() / 1e9),
  gpus: listGpus(),
})
