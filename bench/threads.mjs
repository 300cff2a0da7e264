// Measures how the cores are best shared between engine threads and threads within one forward pass,
// with and without decoders beside them, on MobileNetV2. Rounds are interleaved; medians are printed.
// Run: node bench/threads.mjs [--rounds 3] [--batches 24]
import { availableParallelism } from 'node:os'
import { table } from '../dist/src/cli/tables.js'
import { decodeImage } from '../dist/src/extractor/decode.js'
import { DEFAULT_ENGINE_SETTINGS } from '../dist/src/extractor/engine-settings.js'
import { createEnginePool } from '../dist/src/extractor/engines/pool.js'
import { batchSizeOf } from '../dist/src/extractor/fixed-batch.js'
import { describeMachine, median, parseOptions, wholeNumber } from './lib/numbers.mjs'
import { openSetting, prepareSamples, withWorkspace } from './lib/setting.mjs'

/** [engine threads, threads within a pass], every way to use all cores. */
const waysToShare = (cores) =>
  Array.from({ length: cores }, (_, i) => i + 1)
    .filter((threads) => cores % threads === 0)
    .map((threads) => [threads, cores / threads])

/** Images/s over `batches` batches; each is decoded first where there is something to decode. */
const rateOf = async ({ pool, spec, contents, batches, pixels }) => {
  const size = batchSizeOf(spec.engine, spec.fixedBatch, pool.usesGpu)
  let next = 0
  const decoded = async () => {
    if (contents === null) return new Uint8Array(pixels)
    const parts = contents
      .slice(0, size)
      .map(({ key, content }) => decodeImage(content, key, spec.input, spec.view))
    return new Uint8Array(Buffer.concat(await Promise.all(parts)))
  }
  const lane = async () => {
    while (next < batches) {
      next += 1
      await pool.forward({ data: await decoded(), count: size })
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: pool.threads * 2 }, lane))
  return (next * size * 1000) / (performance.now() - started)
}

const openPool = ({ base, spec }, threads, intraThreads) => {
  const { cut, pooling, engine, fixedBatch, precision, input } = spec
  const settings = DEFAULT_ENGINE_SETTINGS
  return createEnginePool(
    { base, engine, settings, precision, cut, pooling, fixedBatch, input },
    { threads, intraThreads },
  )
}

const options = parseOptions({ rounds: '3', batches: '24' })
const rounds = wholeNumber('rounds', options.rounds)
const batches = wholeNumber('batches', options.batches)
const samples = await prepareSamples()
await withWorkspace(async ({ workspace }) => {
  const setting = await openSetting({ workspace, ...samples, engine: 'onnxruntime' })
  const { spec, opened } = setting
  const contents = []
  for (const { key } of opened.dataset.samples.slice(0, 64))
    contents.push({ key, content: await opened.reader.read(key) })
  const size = batchSizeOf(spec.engine, spec.fixedBatch, false)
  const pixels = contents[0] && new Uint8Array(size * spec.input.size[0] * spec.input.size[1] * 3)
  const ways = waysToShare(availableParallelism())
  const pools = ways.map(([threads, intra]) => openPool(setting, threads, intra))
  const rates = ways.map(() => ({ alone: [], decoding: [] }))
  for (let round = -1; round < rounds; round += 1)
    for (const [i, pool] of pools.entries()) {
      const common = { pool, spec, pixels, batches: round < 0 ? 4 : batches }
      const alone = await rateOf({ ...common, contents: null })
      const decoding = await rateOf({ ...common, contents })
      // The first round warms up.
      if (round >= 0) {
        rates[i]?.alone.push(alone)
        rates[i]?.decoding.push(decoding)
      }
    }
  for (const pool of pools) await pool.close()
  const rows = ways.map(([threads, intra], i) => [
    `${threads} x ${intra}`,
    median(rates[i].alone).toFixed(1),
    median(rates[i].decoding).toFixed(1),
  ])
  const head = ['engine threads x threads in a pass', 'forward alone', 'with decoding']
  process.stdout.write(`${describeMachine()}\n${table(rows, head)}\n`)
})
