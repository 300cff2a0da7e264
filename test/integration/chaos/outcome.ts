// The run of the chaos tests, and what it leaves in a store. Every result is compared with that of the
// same run in one process without a queue.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExperimentInput, ExtractionInput } from '../../../src/experiment/schema.js'
import { decodeShard } from '../../../src/features/arrow.js'
import { loadFeatureSet } from '../../../src/features/feature-set.js'
import { loadFeatures } from '../../../src/features/load-features.js'
import { sha256 } from '../../../src/identity/hash.js'
import type { Store } from '../../../src/store/port.js'
import { writeDenseBase, writeDenseDataset } from '../../support/dense-base.js'
import { makeFolder } from '../../support/folders.js'
import { runIn } from '../experiments.js'
import { keysBelow, storeIn } from '../state.js'

/** Some shards of 2,048 target rows. */
export const ROWS = 20_000
const EPOCHS = 6

export interface Inputs {
  readonly folder: string
  readonly extraction: ExtractionInput
  readonly experiment: ExperimentInput
}

export const makeInputs = async (rows = ROWS): Promise<Inputs> => {
  const folder = await makeFolder()
  await writeDenseBase(join(folder, 'base'))
  await writeDenseDataset(folder, rows)
  const extraction: ExtractionInput = {
    base: { from: './base', cut: 'features' },
    dataset: { from: './rows.npy', labels: './labels.csv' },
    engine: 'wasm',
  }
  return {
    folder,
    extraction,
    experiment: { ...extraction, heads: [{ kind: 'linear', epochs: EPOCHS }] },
  }
}

export const fileStoreUrl = async (): Promise<string> =>
  pathToFileURL(join(await makeFolder(), 'store')).href

const read = async (store: Store, key: string): Promise<Uint8Array> => {
  const bytes = await store.get(key)
  if (bytes === null) throw new Error(`${key} is missing`)
  return bytes
}

const hashesBelow = async (store: Store, prefix: string): Promise<Record<string, string>> => {
  const hashes: Record<string, string> = {}
  for (const key of await keysBelow(store, prefix)) hashes[key] = sha256(await read(store, key))
  return hashes
}

/**
 * What a run leaves in a store: extractors, certificates, the shards that they name and the weights of
 * heads, each by its hash.
 */
export interface Left {
  readonly extractors: Record<string, string>
  readonly featureSets: Record<string, string>
  readonly shards: Record<string, string>
  readonly heads: Record<string, string>
}

interface LoadedSet {
  readonly keys: readonly string[]
  readonly rows: ReadonlyMap<string, string>
  readonly shards: readonly string[]
}

const loadSet = async (store: Store, id: string): Promise<LoadedSet> => {
  const set = await loadFeatureSet(store, id)
  if (set === null) throw new Error(`there is no feature set ${id}`)
  const { keys, values, width } = await loadFeatures(store, set)
  const rowOf = (i: number): string =>
    Buffer.from(values.buffer, values.byteOffset + i * width * 4, width * 4).toString('base64')
  const rows = new Map(keys.map((key, i) => [key, rowOf(i)]))
  return { keys, rows, shards: set.shards.map(({ key }) => key) }
}

/** A part of a shard that was saved by somebody who died holds rows of the shard, bit for bit. */
const assertPart = async (store: Store, key: string, set: LoadedSet): Promise<void> => {
  const { keys, values } = decodeShard(await read(store, key))
  const width = values.length / Math.max(1, keys.length)
  keys.forEach((sample, i) => {
    const part = values.slice(i * width, (i + 1) * width)
    if (set.rows.get(sample) !== Buffer.from(part.buffer).toString('base64'))
      throw new Error(`${key} has another row of ${sample}`)
  })
}

/** Every sample that has a row in any object. Reading checks the hash of each. */
export const samplesIn = async (store: Store): Promise<ReadonlySet<string>> => {
  const samples = new Set<string>()
  for (const key of await keysBelow(store, 'features/'))
    for (const sample of decodeShard(await read(store, key)).keys) samples.add(sample)
  return samples
}

const setIdsIn = async (store: Store): Promise<readonly string[]> =>
  (await keysBelow(store, 'feature-sets/')).map((key) => key.split(/[/.]/)[1] ?? '')

/** Reads all that is there. @throws when a row is missing, doubled, or differs between two objects. */
export const lookInto = async (store: Store, samples: number): Promise<Left> => {
  const features = await hashesBelow(store, 'features/')
  const shards: Record<string, string> = {}
  for (const id of await setIdsIn(store)) {
    const set = await loadSet(store, id)
    const isSorted = set.keys.every((key, i) => i === 0 || (set.keys[i - 1] ?? '') < key)
    if (!isSorted || set.keys.length !== samples)
      throw new Error(`${set.keys.length} rows of ${samples} samples, sorted: ${isSorted}`)
    for (const key of set.shards) shards[key] = features[key] ?? 'missing'
    for (const key of Object.keys(features))
      if (!set.shards.includes(key)) await assertPart(store, key, set)
  }
  const runs = await hashesBelow(store, 'runs/')
  return {
    extractors: await hashesBelow(store, 'extractors/'),
    featureSets: await hashesBelow(store, 'feature-sets/'),
    shards,
    heads: Object.fromEntries(Object.entries(runs).filter(([key]) => key.includes('/head/'))),
  }
}

/** The same experiment in one process, without a queue. */
export const undisturbed = async ({ folder, experiment }: Inputs, rows = ROWS): Promise<Left> => {
  const result = await runIn(folder, experiment)
  if (result.featureSet.samples !== rows) throw new Error('not the samples that were made')
  return lookInto(storeIn(folder), rows)
}

/** Without the heads: of an extraction alone. */
export const withoutHeads = (left: Left): Left => ({ ...left, heads: {} })
