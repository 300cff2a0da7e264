// Measures how fast features are loaded, every hash checked: from a store's own files and from the local
// copies of a remote store, whole into memory, and one pass over streamed chunks. The files are in the page
// cache: that is the ceiling of the code, a slow disk stays a slow disk.
// Run: node bench/loading.mjs [--rows 200000] [--width 2048] [--rounds 3]
import { link, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { table } from '../dist/src/cli/tables.js'
import { openFeatures } from '../dist/src/features/open-features.js'
import { madeFeatures } from './lib/made-features.mjs'
import { describeMachine, median, parseOptions, secondsOf, wholeNumber } from './lib/numbers.mjs'
import { BENCH_CACHE } from './lib/paths.mjs'

const STREAM_BUDGET = 1e9
const ASKED_GBPS = 1

const options = parseOptions({ rows: '200000', width: '2048', rounds: '3' })
const [rows, width, rounds] = ['rows', 'width', 'rounds'].map((name) =>
  wholeNumber(name, options[name]),
)
const { store, set } = await madeFeatures(rows, width)
const bytes = set.shards.reduce((sum, shard) => sum + shard.bytes, 0)

/** What a remote store's cache folder holds after the first training. */
const cacheDir = await mkdtemp(join(BENCH_CACHE, 'copies-'))
await mkdir(cacheDir, { recursive: true })
for (const { key, sha256 } of set.shards)
  await link(join(fileURLToPath(store.url), key), join(cacheDir, sha256))
const remote = {
  ...store,
  url: 's3://bucket/prefix',
  get: async (key) => {
    throw new Error(`${key} was asked of the store`)
  },
}

/** @returns seconds; resident features are let go at once. */
const open = (from, settings) =>
  secondsOf(async () => {
    const features = await openFeatures(from, [set], settings)
    await features.close()
  })

const pass = async () => {
  const features = await openFeatures(store, [set], { budgetBytes: STREAM_BUDGET })
  const { source } = features
  const seconds = await secondsOf(async () => {
    for await (const { views } of source.read(source.chunks.keys(), 1)) if (!views[0]) return
  })
  await features.close()
  return seconds
}

const budgetBytes = Number.POSITIVE_INFINITY
const measures = {
  'file store, into memory': () => open(store, { budgetBytes }),
  'local copies, into memory': () => open(remote, { budgetBytes, cacheDir }),
  'file store, opened to be streamed': () => open(store, { budgetBytes: STREAM_BUDGET }),
  'streamed, a later pass': pass,
}
try {
  const results = Object.fromEntries(Object.keys(measures).map((name) => [name, []]))
  const named = Object.entries(measures)
  for (let round = 1; round <= rounds; round += 1) {
    // Another one first each round: it is the one that pays for memory that the system gives anew.
    named.push(...named.splice(0, 1))
    for (const [name, measure] of named) results[name].push(bytes / 1e9 / (await measure()))
    process.stderr.write(`round ${round} of ${rounds}\n`)
  }
  const lines = Object.entries(results).map(([name, rates]) => [
    name,
    median(rates).toFixed(2),
    rates.map((rate) => rate.toFixed(2)).join(' '),
  ])
  const least = Math.min(...Object.values(results).slice(0, 2).map(median))
  process.stdout.write(`
${describeMachine()}; ${rows} x ${width} float32, ${(bytes / 1e9).toFixed(2)} GB in ${set.shards.length} shards

${table(lines, ['', 'GB/s', 'by round'])}

into memory at least ${ASKED_GBPS} GB/s: ${least >= ASKED_GBPS ? 'yes' : 'NO'}
`)
} finally {
  await rm(cacheDir, { recursive: true, force: true })
  await store.close()
}
