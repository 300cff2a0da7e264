// What a store holds in the end, for tests that compare a disturbed store with an undisturbed one.
import { join } from 'node:path'
import { decodeShard } from '../../src/features/arrow.js'
import { featureSetSchema } from '../../src/features/feature-set.js'
import { sha256 } from '../../src/identity/hash.js'
import { listRunIds, loadRun } from '../../src/model/run-record.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'

/** The embedded store of a working directory. */
export const storeIn = (cwd: string): Store => createFileStore(join(cwd, '.headstart/store'))

export const keysBelow = async (store: Store, prefix: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

/** Everything but run.json, reports and names, which hold a time: key to bytes. */
export const contentOf = async (store: Store): Promise<Map<string, string>> => {
  const content = new Map<string, string>()
  for (const prefix of [
    'bases/',
    'datasets/',
    'extractors/',
    'features/',
    'feature-sets/',
    'runs/',
  ])
    for (const key of await keysBelow(store, prefix))
      if (!/\/(run|report)\.(json|html)$/.test(key))
        content.set(key, Buffer.from((await store.get(key)) ?? []).toString('base64'))
  return content
}

const read = async (store: Store, key: string): Promise<Uint8Array> => {
  const bytes = await store.get(key)
  if (bytes === null) throw new Error(`${key} is missing`)
  return bytes
}

/** Feature sets, the bytes of their shards, and the weights of every published head. */
export const stateOf = async (cwd: string) => {
  const store = storeIn(cwd)
  const featureSets = []
  for (const key of await keysBelow(store, 'feature-sets/')) {
    const set = featureSetSchema.parse(JSON.parse(Buffer.from(await read(store, key)).toString()))
    const shards = []
    for (const shard of set.shards) shards.push(sha256(await read(store, shard.key)))
    featureSets.push({ set, shards })
  }
  const heads = []
  for (const id of await listRunIds(store)) {
    const run = await loadRun(store, id)
    const { metrics, history, parity, artifacts } = run ?? {}
    heads.push({ id, metrics, history, parity, artifacts })
  }
  return { featureSets, heads }
}

/** Distinct samples that have a row in any shard; reading checks the hash of every shard. */
export const samplesKept = async (cwd: string): Promise<number> => {
  const store = storeIn(cwd)
  const keys = new Set<string>()
  for (const key of await keysBelow(store, 'features/'))
    for (const rowKey of decodeShard(await read(store, key)).keys) keys.add(rowKey)
  return keys.size
}

/** Every object can be read and has its recorded hash: nothing is half-written. */
export const readEverything = async (cwd: string): Promise<number> => {
  const store = storeIn(cwd)
  const keys = await keysBelow(store, '')
  for (const key of keys) await read(store, key)
  return keys.length
}
