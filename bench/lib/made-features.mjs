// Owns made-up features of any size in a file store under .cache: written once, the same every time.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { extractorIdOfSpec } from '../../dist/src/extractor/spec.js'
import { encodeShard } from '../../dist/src/features/arrow.js'
import { planShards, shardRowsOf } from '../../dist/src/features/chunk.js'
import { shardStoreKey } from '../../dist/src/features/shard-name.js'
import { sha256 } from '../../dist/src/identity/hash.js'
import { contentIdOf, featureSetIdOf, shardKeyOf } from '../../dist/src/identity/ids.js'
import { openStore } from '../../dist/src/store/open.js'
import { BENCH_CACHE } from './paths.mjs'

const CLASSES = 10

const specOf = (width) => ({
  version: 1,
  base: { id: sha256('a made-up base'), format: 'layers-model' },
  cut: 'features',
  pooling: 'none',
  input: { kind: 'tensor', dtype: 'float32', shape: [3] },
  view: { kind: 'plain' },
  engine: 'wasm',
  precision: 'fp32',
  fixedBatch: null,
  featureShape: [width],
})

/** Classes follow from keys, so that nothing but the features has to be kept. */
export const classOf = (key) => Number.parseInt(key.slice(0, 8), 16) % CLASSES

/** Uniform noise of -1 to 1 (a linear congruential generator), and 1 more where the class says so. */
const valuesOf = (keys, width) => {
  const values = new Float32Array(keys.length * width)
  let state = Number.parseInt(keys[0].slice(0, 8), 16)
  for (const [row, key] of keys.entries()) {
    const label = classOf(key)
    for (let column = 0; column < width; column += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      values[row * width + column] = state / 2 ** 31 - 1 + (column % CLASSES === label ? 1 : 0)
    }
  }
  return values
}

const writeSet = async (store, rows, width) => {
  const spec = specOf(width)
  const extractorId = extractorIdOfSpec(spec)
  const keys = Array.from({ length: rows }, (_, i) => sha256(`sample ${i}`)).sort()
  const shards = []
  for (const part of planShards(keys, shardRowsOf(width))) {
    const metadata = {
      version: 1,
      shardKey: shardKeyOf(extractorId, part),
      extractorId,
      extractor: spec,
      featureShape: [width],
      engines: [{ engine: 'wasm', version: 'none', device: 'made up' }],
      quarantine: [],
    }
    const bytes = encodeShard({ metadata, keys: part, values: valuesOf(part, width) })
    const key = shardStoreKey(extractorId, part)
    await store.putIfAbsent(key, bytes)
    shards.push({ key, rows: part.length, bytes: bytes.length, sha256: sha256(bytes) })
    process.stderr.write(`\rmaking ${rows} x ${width} features: ${shards.length} shards `)
  }
  process.stderr.write('\n')
  const contentId = contentIdOf(keys)
  const featureSetId = featureSetIdOf(extractorId, contentId)
  const featureShape = [width]
  return {
    version: 1,
    featureSetId,
    extractorId,
    contentId,
    featureShape,
    rows,
    shards,
    quarantine: [],
  }
}

/** @returns the store and the feature set; made when they are asked for first. */
export const madeFeatures = async (rows, width) => {
  const folder = join(BENCH_CACHE, `features-${rows}x${width}`)
  const certificate = join(folder, 'set.json')
  const open = () => openStore({ url: pathToFileURL(join(folder, 'store')).href })
  const known = await readFile(certificate, 'utf8').catch(() => null)
  if (known !== null) return { store: await open(), set: JSON.parse(known) }
  // What an interrupted run left.
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const store = await open()
  const set = await writeSet(store, rows, width)
  await writeFile(`${certificate}.tmp`, JSON.stringify(set))
  await rename(`${certificate}.tmp`, certificate)
  return { store, set }
}

/** Training data on those features: ten classes, every tenth row for validation. */
export const trainingDataOf = ({ source, keys }) => ({
  features: source,
  rows: keys.length,
  width: source.width,
  featureShape: [source.width],
  target: { kind: 'single', classes: Array.from({ length: CLASSES }, (_, i) => `class ${i}`) },
  labels: keys.map((key) => [classOf(key)]),
  splits: keys.map((_, row) => (row % 10 === 9 ? 'validation' : 'train')),
})
