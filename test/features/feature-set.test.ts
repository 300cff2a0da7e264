import { beforeAll, describe, expect, it } from 'vitest'
import type { HeadstartError } from '../../src/errors.js'
import { decodeShard, encodeShard } from '../../src/features/arrow.js'
import {
  type FeatureSet,
  type FeatureSetShard,
  featureSetKey,
  loadFeatureSet,
  loadShard,
  saveFeatureSet,
} from '../../src/features/feature-set.js'
import { loadFeatures } from '../../src/features/load-features.js'
import type { Shard } from '../../src/features/shard.js'
import { shardStoreKey } from '../../src/features/shard-name.js'
import { sha256 } from '../../src/identity/hash.js'
import { contentIdOf, featureSetIdOf } from '../../src/identity/ids.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { makeFolder } from '../support/folders.js'
import { makeShard, sampleKeys } from '../support/shards.js'

const WIDTH = 3
const keys = sampleKeys(50)
const parts = [keys.slice(0, 20), keys.slice(20, 49), keys.slice(49)]

const storeShard = async (store: Store, shard: Shard): Promise<FeatureSetShard> => {
  const bytes = encodeShard(shard)
  const key = shardStoreKey(shard.metadata.extractorId, shard.keys)
  await store.putIfAbsent(key, bytes)
  return { key, rows: shard.keys.length, bytes: bytes.length, sha256: sha256(bytes) }
}

const makeSet = async (store: Store, shards: readonly Shard[]): Promise<FeatureSet> => {
  const extractorId = shards[0]?.metadata.extractorId ?? ''
  const contentId = contentIdOf(shards.flatMap((shard) => shard.keys))
  const entries = []
  for (const shard of shards) entries.push(await storeShard(store, shard))
  return {
    version: 1,
    featureSetId: featureSetIdOf(extractorId, contentId),
    extractorId,
    contentId,
    featureShape: [WIDTH],
    rows: entries.reduce((sum, { rows }) => sum + rows, 0),
    shards: entries,
    quarantine: [],
  }
}

let store: Store
let shards: Shard[]
beforeAll(async () => {
  store = createFileStore(await makeFolder())
  shards = parts.map((part) => makeShard({ keys: part, width: WIDTH }))
})

describe('a feature set', () => {
  it('is loaded as it was saved, and saving it again is free', async () => {
    const set = await makeSet(store, shards)
    await saveFeatureSet(store, set)
    const first = await store.head(featureSetKey(set.featureSetId))
    await saveFeatureSet(store, set)
    expect(await loadFeatureSet(store, set.featureSetId)).toEqual(set)
    expect(await store.head(featureSetKey(set.featureSetId))).toEqual(first)
  })

  it('that nobody saved is null', async () => {
    expect(await loadFeatureSet(store, sha256('nobody'))).toBeNull()
  })

  it('that is no feature set, or no JSON, is STORE_CORRUPT and says why', async () => {
    const id = sha256('of another release')
    await store.putIfAbsent(featureSetKey(id), Buffer.from('{"version":2}'))
    const error = await loadFeatureSet(store, id).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'STORE_CORRUPT' })
    expect((error as HeadstartError).details).toContainEqual(expect.stringMatching(/^version: /))
    await store.putIfAbsent(featureSetKey(sha256('text')), Buffer.from('text'))
    await expect(loadFeatureSet(store, sha256('text'))).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    })
  })

  it('that names other bytes is replaced: the newer certificate is the true one', async () => {
    const set = await makeSet(store, shards)
    const newer = { ...set, shards: set.shards.map((shard) => ({ ...shard, bytes: 1 })) }
    await saveFeatureSet(store, set)
    await saveFeatureSet(store, newer)
    expect(await loadFeatureSet(store, set.featureSetId)).toEqual(newer)
  })

  it('gives all rows in one block, in the order of the keys', async () => {
    const block = await loadFeatures(store, await makeSet(store, shards))
    expect(block.keys).toEqual(keys)
    expect(block.width).toBe(WIDTH)
    expect(Array.from(block.values)).toEqual(shards.flatMap(({ values }) => Array.from(values)))
    expect(block.shards).toEqual(shards.map(({ metadata }) => metadata))
  })

  it('is not read with a shard of another extractor', async () => {
    const set = await makeSet(store, shards)
    const other = makeShard({ keys: keys.slice(0, 20), width: WIDTH, cut: 'other' })
    const mixed = { ...set, shards: [await storeShard(store, other), ...set.shards.slice(1)] }
    await expect(loadFeatures(store, mixed)).rejects.toMatchObject({ code: 'FEATURES_MISMATCH' })
  })
})

describe('a shard is read only as it was certified', () => {
  it('and then it is the shard', async () => {
    const [entry] = (await makeSet(store, shards)).shards
    const loaded = await loadShard(store, entry as FeatureSetShard)
    expect(loaded).toEqual(decodeShard(encodeShard(shards[0] as Shard)))
  })

  it.each<[string, Partial<FeatureSetShard>]>([
    ['another length', { bytes: 1000 }],
    ['another hash', { sha256: sha256('other') }],
    ['a key that is missing in the store', { key: 'features/none.arrow' }],
  ])('%s is FEATURES_CORRUPT and names the shard', async (_, change) => {
    const [entry] = (await makeSet(store, shards)).shards
    const changed = { ...(entry as FeatureSetShard), ...change }
    await expect(loadShard(store, changed)).rejects.toMatchObject({
      code: 'FEATURES_CORRUPT',
      details: [changed.key],
    })
  })

  it('one that somebody else wrote under its name is FEATURES_CORRUPT, though it is a shard', async () => {
    const own = createFileStore(await makeFolder())
    const [entry] = (await makeSet(store, shards)).shards as [FeatureSetShard]
    await own.putIfAbsent(entry.key, encodeShard(shards[1] as Shard))
    await expect(loadShard(own, entry)).rejects.toMatchObject({ code: 'FEATURES_CORRUPT' })
  })
})
