// Measures training on features that do not fit the memory budget against the same features in memory: rows
// a second of an epoch, measuring included, and peak memory above that of the trainer alone. Each training
// runs in a process of its own, in interleaved rounds.
// Run: node bench/streaming.mjs [--rows 200000] [--width 2048] [--budget 1e9] [--heads 1,16] [--epochs 3] [--rounds 3]
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { table } from '../dist/src/cli/tables.js'
import { madeFeatures } from './lib/made-features.mjs'
import { describeMachine, listOf, median, parseOptions, wholeNumber } from './lib/numbers.mjs'

const CHILD = join(import.meta.dirname, 'lib/train-made.mjs')
const ASKED_RATIO = 0.7

const options = parseOptions({
  rows: '200000',
  width: '2048',
  budget: '1e9',
  heads: '1,16',
  epochs: '3',
  rounds: '3',
})
const number = (name) => wholeNumber(name, options[name])
const [rows, width, budget, epochs, rounds] = ['rows', 'width', 'budget', 'epochs', 'rounds'].map(
  number,
)
const headCounts = listOf(options.heads).map((text) => wholeNumber('heads', text))

/** Whatever the features take, they are in memory. */
const IN_MEMORY = 1e15

const train = async (heads, budgetBytes) => {
  const args = [CHILD, rows, width, heads, epochs, budgetBytes].map(String)
  const running = promisify(execFile)(process.execPath, args)
  running.child.stderr.pipe(process.stderr, { end: false })
  return JSON.parse((await running).stdout)
}

await madeFeatures(rows, width)
await madeFeatures(4096, width)
const lines = []
let isEnough = true
for (const heads of headCounts) {
  const ratios = []
  const seen = { resident: [], streamed: [] }
  for (let round = 1; round <= rounds; round += 1) {
    const resident = await train(heads, IN_MEMORY)
    const streamed = await train(heads, budget)
    if (resident.streamed || !streamed.streamed)
      throw new Error('the budget does not tell them apart')
    if (resident.trained !== heads || streamed.trained !== heads) throw new Error('a head diverged')
    seen.resident.push(resident)
    seen.streamed.push(streamed)
    ratios.push(median(resident.epochSeconds) / median(streamed.epochSeconds))
    process.stderr.write(`${heads} head(s), round ${round} of ${rounds}\n`)
  }
  for (const [name, results] of Object.entries(seen))
    lines.push([
      `${heads} head(s), ${name}`,
      (rows / median(results.map(({ epochSeconds }) => median(epochSeconds)))).toFixed(0),
      name === 'streamed'
        ? `${median(ratios).toFixed(2)} (${ratios.map((r) => r.toFixed(2)).join(' ')})`
        : '',
      `${(Math.max(...results.map((result) => result.aboveBaselineBytes)) / 1e6).toFixed(0)} MB`,
      median(results.map(({ openSeconds }) => openSeconds)).toFixed(1),
    ])
  const peak = Math.max(...seen.streamed.map((result) => result.aboveBaselineBytes))
  isEnough &&= median(ratios) >= ASKED_RATIO && peak <= budget
}
process.stdout.write(`
${describeMachine()}; ${rows} x ${width} float32, ${((4 * rows * width) / 1e9).toFixed(2)} GB; budget ${(budget / 1e9).toFixed(2)} GB

${table(lines, ['', 'rows/s', 'of the rate in memory', 'peak above the trainer', 'seconds to open'])}

streamed at least ${ASKED_RATIO} of the rate in memory, within the budget: ${isEnough ? 'yes' : 'NO'}
`)
