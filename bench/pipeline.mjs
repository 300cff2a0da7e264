// Measures stage 1 on the same images: the engine alone (pixels that are decoded already), decoding
// alone, and the whole extraction (read, hash check, decode, forward, shard, store). Engines are warm.
// Run: node bench/pipeline.mjs [--images 512] [--rounds 3] [--engine auto|onnxruntime|wasm|tensorflow]
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { table } from '../dist/src/cli/tables.js'
import { extract } from '../dist/src/extract/run.js'
import { decodeImage } from '../dist/src/extractor/decode.js'
import { DEFAULT_ENGINE_SETTINGS } from '../dist/src/extractor/engine-settings.js'
import { createEnginePool } from '../dist/src/extractor/engines/pool.js'
import { openExtractor } from '../dist/src/extractor/extractor.js'
import { openStore } from '../dist/src/store/open.js'
import { describeMachine, measureRate, median, parseOptions, wholeNumber } from './lib/numbers.mjs'
import { openSetting, prepareSamples, withWorkspace } from './lib/setting.mjs'

const TARGET_RATIO = 0.85

/** `loops` workers draw batches of `size` items from one list. */
const inBatches = async (items, { size, loops }, work) => {
  let next = 0
  const loop = async () => {
    while (next < items.length) {
      const start = next
      next += size
      await work(items.slice(start, start + size))
    }
  }
  await Promise.all(Array.from({ length: loops }, loop))
}

const joinPixels = (parts) => new Uint8Array(Buffer.concat(parts))

const poolFor = ({ base, spec }, threads) => {
  const { cut, pooling, engine, fixedBatch, input } = spec
  const settings = DEFAULT_ENGINE_SETTINGS
  const request = { base, engine, settings, precision: 'fp32', cut, pooling, fixedBatch, input }
  return createEnginePool(request, { threads })
}

const measure = async (setting, directory, { images, rounds }) => {
  const { opened, spec, base } = setting
  const { reader, dataset } = opened
  const keys = dataset.samples.slice(0, images).map(({ key }) => key)
  const contents = new Map()
  const pixels = []
  for (const key of keys) {
    contents.set(key, await reader.read(key))
    pixels.push(await decodeImage(contents.get(key), key, spec.input, spec.view))
  }
  const extractor = openExtractor(spec, base)
  const pool = poolFor(setting)
  // As many batches in flight as the extraction keeps.
  const shape = { size: extractor.batchSize, loops: extractor.parallelBatches }
  const forward = (batch) => pool.forward({ data: joinPixels(batch), count: batch.length })
  const decode = (batch) =>
    Promise.all(batch.map((key) => decodeImage(contents.get(key), key, spec.input, spec.view)))

  const engineAlone = () => inBatches(pixels, shape, forward)
  const decodeAlone = () => inBatches(keys, shape, decode)
  const whole = async (round) => {
    const store = await openStore({ url: pathToFileURL(join(directory, `store-${round}`)).href })
    const { computed } = await extract({
      store,
      spec,
      keys,
      openExtractor: async () => ({ ...extractor, close: async () => {} }),
      readSample: (key) => reader.read(key),
      nameOf: (key) => reader.nameOf(key),
    })
    await store.close()
    if (computed !== keys.length) throw new Error(`${computed} of ${keys.length} were computed`)
  }

  const results = []
  try {
    const warm = keys.slice(0, shape.size * shape.loops)
    await inBatches(pixels.slice(0, warm.length), shape, forward)
    const samples = warm.map((key) => ({ key, content: contents.get(key) }))
    await inBatches(samples, shape, (batch) => extractor.rows(batch))
    for (let round = 1; round <= rounds; round += 1) {
      results.push({
        engine: await measureRate(keys.length, engineAlone),
        decode: await measureRate(keys.length, decodeAlone),
        whole: await measureRate(keys.length, () => whole(round)),
      })
      process.stderr.write(`round ${round} of ${rounds}\n`)
    }
    return { results, info: extractor.info(), threads: pool.threads, batch: shape.size }
  } finally {
    await extractor.close()
    await pool.close()
  }
}

const options = parseOptions({ images: '512', rounds: '3', engine: 'auto' })
const samples = await prepareSamples()
await withWorkspace(async ({ workspace, directory }) => {
  const machine = describeMachine()
  const setting = await openSetting({ workspace, ...samples, engine: options.engine })
  const wanted = {
    images: wholeNumber('images', options.images),
    rounds: wholeNumber('rounds', options.rounds),
  }
  const { results, info, threads, batch } = await measure(setting, directory, wanted)
  await setting.opened.reader.close()
  const rowOf = (name, { engine, decode, whole }) => [
    name,
    ...[engine, decode, whole].map(({ rate, cpuMs }) => `${rate.toFixed(1)} (${cpuMs.toFixed(1)})`),
    (whole.rate / engine.rate).toFixed(3),
    (engine.cpuMs / whole.cpuMs).toFixed(3),
  ]
  const medianOf = (part) => ({
    rate: median(results.map((result) => result[part].rate)),
    cpuMs: median(results.map((result) => result[part].cpuMs)),
  })
  const [engine, decode, whole] = ['engine', 'decode', 'whole'].map(medianOf)
  const rows = [
    ...results.map((result, i) => rowOf(`round ${i + 1}`, result)),
    rowOf('median', { engine, decode, whole }),
  ]
  const ratio = whole.rate / engine.rate
  // Engine and decoders share the cores: each image costs the time of both.
  const shared = 1 / (1 / engine.rate + 1 / decode.rate)
  process.stdout.write(`
${Math.min(wanted.images, setting.opened.dataset.samples.length)} images of 64 px to ${setting.spec.input.size.join('x')}, ${info.engine} (${info.version}) on ${info.device}, ${threads} threads, batch ${batch}
${machine} at the start, ${describeMachine().split(', ').at(-1)} at the end

${table(rows, ['', 'engine alone', 'decode alone', 'whole', 'whole / engine', 'by CPU time'])}

images/s, in brackets CPU milliseconds an image; "by CPU time" is the ratio that other load does not move
target of whole / engine: at least ${TARGET_RATIO}, ${ratio >= TARGET_RATIO ? 'reached' : 'NOT reached'}; engine and decoders on the same cores can have ${(shared / engine.rate).toFixed(3)} at most
`)
})
