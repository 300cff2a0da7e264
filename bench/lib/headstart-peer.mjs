// Owns Headstart as one of the peers: the protocol of bench/peers/peer.py, and `decode`, which times the
// decoder alone. The base lies in a store of its own, which is gone when the input ends.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { indexDataset } from '../../dist/src/dataset/index-dataset.js'
import { extract } from '../../dist/src/extract/run.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../dist/src/extractor/engine-settings.js'
import { createEnginePool } from '../../dist/src/extractor/engines/pool.js'
import { openExtractor } from '../../dist/src/extractor/extractor.js'
import { decodeSample } from '../../dist/src/extractor/input.js'
import { sha256 } from '../../dist/src/identity/hash.js'
import { openStore } from '../../dist/src/store/open.js'
import { MODELS, prepareModel } from './models.mjs'
import { openSubject } from './subject.mjs'

const folder = await mkdtemp(join(tmpdir(), 'headstart-bench-'))
const openStoreIn = (...path) => openStore({ url: pathToFileURL(join(folder, ...path)).href })

/** What `open` made; null before. */
let opened = null
let runs = 0

const open = async ({ model, engine, device }) => {
  const settings = { ...DEFAULT_ENGINE_SETTINGS, device }
  const { cut } = MODELS[model]
  const store = await openStoreIn('bases')
  const from = await prepareModel(model)
  const { spec, base } = await openSubject({ store, from, cut, engine, settings })
  await store.close()
  const graph = base.format === 'onnx' ? join(folder, 'graph.onnx') : null
  if (graph !== null) await writeFile(graph, base.model)
  opened = {
    spec,
    base,
    settings,
    extractor: openExtractor(spec, base, { settings }),
    pool: null,
  }
  const pool = await poolFor(1)
  const { info } = await pool.forward({ data: pixelsOf(1), count: 1 })
  const version = `${spec.engine} engine (${info.version}) on ${info.device}, ${pool.threads} threads`
  return { version, batchSize: opened.extractor.batchSize, graph, cut }
}

/**
 * Engine threads for batches of one size. An engine whose batches are fixed is opened anew for another
 * size: it would fill up or cut what has not its own.
 */
const poolFor = async (batch) => {
  const { spec, base, settings } = opened
  const { engine, cut, pooling, precision, input } = spec
  const fixedBatch = spec.fixedBatch === null && settings.device === 'cpu' ? null : batch
  if (opened.pool?.fixedBatch === fixedBatch) return opened.pool
  await opened.pool?.close()
  const request = { base, engine, settings, precision, cut, pooling, fixedBatch, input }
  opened.pool = { ...createEnginePool(request), fixedBatch }
  return opened.pool
}

/** Runs `work`, which gives a number of images, and times it over all threads of this process. */
const measured = async (work) => {
  const started = performance.now()
  const before = process.cpuUsage()
  const images = await work()
  const { user, system } = process.cpuUsage(before)
  const seconds = (performance.now() - started) / 1000
  return { images, seconds, cpuSeconds: (user + system) / 1e6 }
}

/** As many loops as an extraction has batches in flight, each until `work` gives false. */
const inLoops = (work) => {
  const loop = async () => {
    while (await work());
  }
  return Promise.all(Array.from({ length: opened.extractor.parallelBatches }, loop))
}

/** Any bytes do: the time of a forward pass does not depend on them. */
const pixelsOf = (images) => {
  const [height, width] = opened.spec.input.size
  return Uint8Array.from({ length: images * height * width * 3 }, (_, i) => (i * 167) % 251)
}

const forward = async ({ batch, seconds }) => {
  const pixels = pixelsOf(batch)
  const pool = await poolFor(batch)
  return measured(async () => {
    const until = performance.now() + seconds * 1000
    let images = 0
    await inLoops(async () => {
      // The pool takes the data over: an extraction, too, joins its samples into a new batch.
      const { values } = await pool.forward({ data: pixels.slice(), count: batch })
      if (!values.every(Number.isFinite)) throw new Error('features are not finite')
      images += batch
      return performance.now() < until
    })
    return images
  })
}

/** Reading, checking the hash and decoding alone. */
const decode = ({ files }) =>
  measured(async () => {
    const { spec, extractor } = opened
    let next = 0
    await inLoops(async () => {
      const batch = files.slice(next, next + extractor.batchSize)
      next += batch.length
      await Promise.all(
        batch.map(async (file) => {
          const content = await readFile(file)
          return decodeSample(spec, { key: sha256(content), content })
        }),
      )
      return next < files.length
    })
    return files.length
  })

/** From a folder to a certified feature set in a fresh store; the engine is warm. */
const extractFolder = async ({ folder: from, files }) => {
  runs += 1
  const store = await openStoreIn(`store-${runs}`)
  const { spec, extractor } = opened
  const measurement = await measured(async () => {
    const cacheDir = join(folder, `hashes-${runs}`)
    const { dataset, reader } = await indexDataset({
      spec: { from, target: 'single' },
      cacheDir,
      baseDir: from,
    })
    const { computed } = await extract({
      store,
      spec,
      keys: dataset.samples.map(({ key }) => key),
      openExtractor: async () => ({ ...extractor, close: async () => {} }),
      readSample: (key) => reader.read(key),
      nameOf: (key) => reader.nameOf(key),
    })
    await reader.close()
    return computed
  })
  await store.close()
  if (measurement.images !== files.length)
    throw new Error(`${measurement.images} of ${files.length} images were computed`)
  return measurement
}

const ANSWERS = { open, forward, decode, extract: extractFolder }

const answerTo = async (line) => {
  try {
    const { do: what, ...request } = JSON.parse(line)
    return await ANSWERS[what](request)
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

try {
  for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${JSON.stringify(await answerTo(line))}\n`)
} finally {
  await opened?.extractor.close()
  await opened?.pool?.close()
  await rm(folder, { recursive: true, force: true })
}
