// Features of all views, in memory and streamed: the same rows, chunks and batches; damage is found.
import { mkdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TAIL_BYTES } from '../../src/features/arrow.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import type { FeatureSource } from '../../src/features/feature-source.js'
import { openFeatures } from '../../src/features/open-features.js'
import { readRows } from '../../src/features/read-rows.js'
import { type Batch, epochBatches, plainBatches } from '../../src/head/batches.js'
import { type Sha256, sha256 } from '../../src/identity/hash.js'
import { withDiskCache } from '../../src/store/disk-cache.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { failureOf } from '../dataset/support.js'
import {
  blockOf,
  featuresOf,
  type MadeSets,
  storeSets,
  streamingBudgetOf,
} from '../support/feature-sets.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { sampleKeys } from '../support/shards.js'

const ALL = Number.POSITIVE_INFINITY
/** Rows that weigh more than the metadata of their shard. */
const WIDTH = 256
const none: ReadonlySet<Sha256> = new Set()

const made = (rows: number, ends: readonly number[], quarantined = [none]): MadeSets => ({
  keys: sampleKeys(rows),
  width: WIDTH,
  ends,
  quarantined,
})

const openStore = async (): Promise<Store> => createFileStore(await makeFolder())

const pathOf = (store: Store, { key }: { readonly key: string }): string =>
  join(fileURLToPath(store.url), key)

/** What a source gives in one epoch and on the plain view, batch by batch. */
const drawAll = async (source: FeatureSource, seed: number, size: number) => {
  const rows = Uint32Array.from({ length: source.rows }, (_, row) => row).filter(
    (row) => row % 4 > 0,
  )
  const drawn: { rows: number[]; features: string }[] = []
  const collect = async (batches: AsyncIterable<Batch>) => {
    for await (const { rows: own, features, count } of batches)
      drawn.push({
        rows: [...own.subarray(0, count)],
        features: Buffer.from(features.slice(0, count * source.width).buffer).toString('base64'),
      })
  }
  await collect(epochBatches(source, { rows, views: source.viewCount, seed, epoch: 2 }, size))
  await collect(plainBatches(source, rows, size))
  return drawn
}

const cutsOf = (rows: number, cuts: readonly number[]): number[] =>
  [...new Set([...cuts.filter((cut) => cut > 0 && cut < rows), rows])].sort((a, b) => a - b)

describe('features in memory and streamed ones', () => {
  it('are the same rows, chunks and batches, whatever is in quarantine and however they are cut', async () => {
    let streamedRuns = 0
    const property = fc.asyncProperty(
      fc.integer({ min: 2, max: 60 }),
      fc.array(fc.nat(60), { maxLength: 6 }),
      fc.array(fc.array(fc.nat(59), { maxLength: 20 }), { minLength: 1, maxLength: 3 }),
      fc.nat(1000),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 2 }),
      async (rows, cuts, lost, seed, size, chunks) => {
        const keys = sampleKeys(rows)
        const quarantined = lost.map((list) => new Set(list.flatMap((row) => keys[row] ?? [])))
        const store = await openStore()
        const sets = await storeSets(store, made(rows, cutsOf(rows, cuts), quarantined))
        const left = keys.filter((key) => !quarantined.some((set) => set.has(key)))

        const resident = await openFeatures(store, sets, { budgetBytes: ALL })
        expect(resident.keys).toEqual(left)
        expect(resident.source.resident).toEqual(sets.map((_, view) => blockOf(left, view, WIDTH)))
        const streamed = await openFeatures(store, sets, {
          budgetBytes: streamingBudgetOf(sets, chunks),
        })
        if (streamed.source.resident === null) streamedRuns += 1
        expect({ ...streamed, source: null, close: null }).toEqual({
          ...resident,
          source: null,
          close: null,
        })
        expect(streamed.source.chunks).toEqual(resident.source.chunks)
        expect(await drawAll(streamed.source, seed, size)).toEqual(
          await drawAll(resident.source, seed, size),
        )
        await streamed.close()
      },
    )
    await fc.assert(property, { numRuns: 40 })
    // A few rows in many views fit into any budget that holds one shard.
    expect(streamedRuns).toBeGreaterThan(5)
  })

  it('are streamed when the budget does not hold them, with as many views as are asked for', async () => {
    const store = await openStore()
    const sets = await storeSets(store, made(40, [8, 16, 24, 40], [none, none]))
    const { source, close } = await openFeatures(store, sets, {
      budgetBytes: streamingBudgetOf(sets),
    })
    expect(source).toMatchObject({ resident: null, rows: 40, viewCount: 2, width: WIDTH })
    const order = [3, 0, 2]
    const seen: unknown[] = []
    for await (const { chunk, views } of source.read(order, 1)) {
      seen.push(chunk)
      expect(views).toEqual([blockOf(sampleKeys(40).slice(chunk.begin, chunk.end), 0, WIDTH)])
    }
    expect(seen).toEqual(order.map((index) => source.chunks[index]))
    await close()
  })

  it('may lose a whole shard to quarantine in one view', async () => {
    const store = await openStore()
    const keys = sampleKeys(12)
    const lost = new Set(keys.slice(4, 8))
    const sets = await storeSets(store, made(12, [4, 8, 12], [none, lost]))
    for (const budgetBytes of [ALL, streamingBudgetOf(sets, 1)]) {
      const features = await openFeatures(store, sets, { budgetBytes })
      expect(features.source.chunks).toEqual([
        { begin: 0, end: 4 },
        { begin: 4, end: 4 },
        { begin: 4, end: 8 },
      ])
      expect(features.shards).toHaveLength(3)
      const rows = await readRows(features.source, [7, 0, 4, 7])
      const left = keys.filter((key) => !lost.has(key))
      expect(rows).toEqual([7, 0, 4, 7].map((row) => featuresOf(left[row] ?? '', 0, WIDTH)))
      await features.close()
    }
  })

  it('of one shard and of none', async () => {
    const store = await openStore()
    const one = await storeSets(store, made(3, [3]))
    const { source } = await openFeatures(store, one, { budgetBytes: streamingBudgetOf(one, 1) })
    expect(source.resident).toBeNull()
    expect(await readRows(source, [2])).toEqual([featuresOf(sampleKeys(3)[2] ?? '', 0, WIDTH)])
    const empty = (await storeSets(store, made(0, []))) as [FeatureSet]
    const nothing = await openFeatures(store, empty, { budgetBytes: 1 })
    expect(nothing).toMatchObject({ keys: [], shards: [], source: { rows: 0, chunks: [] } })
  })

  it('of shards that are read in several pieces are the same bits', async () => {
    const store = await openStore()
    const width = 2 ** 16
    const keys = sampleKeys(60)
    const lost = new Set(keys.slice(20, 22))
    const sets = await storeSets(store, { ...made(60, [12, 40, 60], [none, lost]), width })
    const resident = await openFeatures(store, sets, { budgetBytes: ALL })
    const left = keys.filter((key) => !lost.has(key))
    for (const [view, block] of (resident.source.resident ?? []).entries())
      expect(Buffer.from(block.buffer).equals(Buffer.from(blockOf(left, view, width).buffer))).toBe(
        true,
      )
    const [, shard] = sets[0]?.shards ?? []
    await writeFile(pathOf(store, shard as { key: string }), Buffer.alloc(shard?.bytes ?? 0))
    const failure = await failureOf(openFeatures(store, sets, { budgetBytes: ALL }))
    expect(failure).toMatchObject({ code: 'FEATURES_CORRUPT', details: [shard?.key] })
  })

  it('are the same where the files do not end as ours do', async () => {
    const ours = await openStore()
    const [set] = (await storeSets(ours, made(40, [10, 20, 40]))) as [FeatureSet]
    const theirs = await openStore()
    const shards: FeatureSet['shards'] = []
    for (const { key, rows } of set.shards) {
      const bytes = Buffer.from((await ours.get(key)) as Uint8Array)
      const footer = bytes.length - TAIL_BYTES - bytes.readInt32LE(bytes.length - TAIL_BYTES)
      // An Arrow file names the place of its rows: there may be anything between them and the footer.
      const gap = Buffer.alloc(64, 7)
      const moved = Buffer.concat([bytes.subarray(0, footer), gap, bytes.subarray(footer)])
      await theirs.putIfAbsent(key, moved)
      shards.push({ key, rows, bytes: moved.length, sha256: sha256(moved) })
    }
    const { source, keys } = await openFeatures(theirs, [{ ...set, shards }], { budgetBytes: ALL })
    expect(source.resident).toEqual([blockOf(keys, 0, WIDTH)])
  })
})

describe('what does not belong together', () => {
  it.each<[string, (sets: [FeatureSet, FeatureSet]) => readonly FeatureSet[]]>([
    ['another dataset', ([one, two]) => [one, { ...two, contentId: 'f'.repeat(64) }]],
    ['another shape', ([one, two]) => [one, { ...two, featureShape: [WIDTH + 1] }]],
    ['fewer shards', ([one, two]) => [one, { ...two, shards: two.shards.slice(1) }]],
    ['shards of another order', ([one]) => [{ ...one, shards: one.shards.toReversed() }]],
    ['the shards of another extractor', ([one, two]) => [{ ...one, shards: two.shards }]],
    [
      'more rows than its bytes hold',
      ([one]) => [{ ...one, shards: one.shards.map((shard) => ({ ...shard, rows: 1e9 })) }],
    ],
  ])('%s is FEATURES_MISMATCH', async (_, change) => {
    const store = await openStore()
    const sets = await storeSets(store, made(20, [9, 20], [none, none]))
    const failure = await failureOf(openFeatures(store, change(sets as [FeatureSet, FeatureSet])))
    expect(failure.code).toBe('FEATURES_MISMATCH')
  })

  it('a budget that does not hold one shard is FEATURES_TOO_LARGE and says both', async () => {
    const store = await openStore()
    const sets = await storeSets(store, made(20, [9, 20]))
    const failure = await failureOf(openFeatures(store, sets, { budgetBytes: 100 }))
    expect(failure.code).toBe('FEATURES_TOO_LARGE')
  })

  it('a shard that is no file of the store is not read: a key cannot leave the folder', async () => {
    const store = await openStore()
    const [set] = (await storeSets(store, made(20, [9, 20]))) as [FeatureSet]
    const shards = set.shards.map((shard) => ({ ...shard, key: `../${shard.key}` }))
    expect((await failureOf(openFeatures(store, [{ ...set, shards }]))).code).toBe(
      'STORE_KEY_INVALID',
    )
  })
})

describe('a damaged shard of a file store', () => {
  const damages: [string, (path: string) => Promise<void>][] = [
    ['is missing', (path) => rm(path)],
    ['is truncated', (path) => truncate(path, 300)],
    ['has other bytes', async (path) => writeFile(path, Buffer.alloc((await stat(path)).size, 7))],
    [
      'is a folder',
      (path) =>
        rm(path)
          .then(() => mkdir(path))
          .then(() => {}),
    ],
  ]
  it.each(damages)(
    'that %s is FEATURES_CORRUPT with its key, before training',
    async (_, damage) => {
      const store = await openStore()
      const sets = await storeSets(store, made(40, [10, 20, 40]))
      const shard = sets[0]?.shards[1] as FeatureSet['shards'][number]
      await damage(pathOf(store, shard))
      for (const budgetBytes of [ALL, streamingBudgetOf(sets)]) {
        const failure = await failureOf(openFeatures(store, sets, { budgetBytes }))
        expect(failure).toMatchObject({ code: 'FEATURES_CORRUPT', details: [shard.key] })
      }
    },
  )

  it('that changes while features are streamed is found when it is read next', async () => {
    const store = await openStore()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    const shard = sets[0]?.shards[1] as FeatureSet['shards'][number]
    const { source, close } = await openFeatures(store, sets, {
      budgetBytes: streamingBudgetOf(sets),
    })
    const pass = async () => {
      let rows = 0
      for await (const { chunk } of source.read([0, 1, 2], 1)) rows += chunk.end - chunk.begin
      return rows
    }
    expect(await pass()).toBe(40)
    // Touched, but the same: checked again and read.
    await utimes(pathOf(store, shard), new Date(1e12), new Date(1e12))
    expect(await pass()).toBe(40)
    await writeFile(pathOf(store, shard), Buffer.alloc(shard.bytes, 7))
    const failure = await failureOf(pass())
    expect(failure).toMatchObject({ code: 'FEATURES_CORRUPT', details: [shard.key] })
    await close()
  })
})

describe('ending early', () => {
  it('an aborted opening is INTERRUPTED', async () => {
    const store = await openStore()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    const signal = AbortSignal.abort()
    expect((await failureOf(openFeatures(store, sets, { signal }))).code).toBe('INTERRUPTED')
  })

  it('a reader that stops after one chunk leaves nothing being read, and the next one starts anew', async () => {
    const inner = await openStore()
    const sets = await storeSets(inner, made(60, [10, 20, 30, 40, 50, 60]))
    let [reading, most, calls] = [0, 0, 0]
    // Neither a file store nor a cache: every chunk is asked of the store each time.
    const store: Store = {
      ...inner,
      url: 's3://bucket',
      get: async (key) => {
        reading += 1
        calls += 1
        most = Math.max(most, reading)
        try {
          await new Promise((resolve) => setTimeout(resolve, 5))
          return await inner.get(key)
        } finally {
          reading -= 1
        }
      },
    }
    const { source, close } = await openFeatures(store, sets, {
      budgetBytes: streamingBudgetOf(sets),
    })
    calls = 0
    most = 0
    for await (const { chunk } of source.read([5, 4, 3, 2, 1, 0], 1)) {
      expect(chunk).toEqual({ begin: 50, end: 60 })
      break
    }
    expect({ reading, calls }).toEqual({ reading: 0, calls: 2 })
    const failing = async () => {
      for await (const { chunk } of source.read([0, 9, 1], 1)) expect(chunk.begin).toBe(0)
    }
    await expect(failing()).rejects.toThrow(RangeError)
    expect(reading).toBe(0)
    let rows = 0
    for await (const { chunk } of source.read([0, 1, 2, 3, 4, 5], 1))
      rows += chunk.end - chunk.begin
    expect(rows).toBe(60)
    expect(most).toBe(2)
    await close()
    expect((await failureOf(readRows(source, [1]))).code).toBe('INTERRUPTED')
  })
})

describe('the local copies of a remote store', () => {
  const remote = async (maxBytes = 2 ** 30) => {
    const inner = await openStore()
    const cacheDir = await makeFolder()
    const fetched: string[] = []
    const far: Store = {
      ...inner,
      url: 's3://bucket',
      get: (key) => {
        fetched.push(key)
        return inner.get(key)
      },
    }
    return { inner, cacheDir, fetched, store: withDiskCache(far, cacheDir, maxBytes) }
  }

  it('are made once; afterwards nothing is asked of the store, in memory or streamed', async () => {
    const { store, cacheDir, fetched } = await remote()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    await openFeatures(store, sets, { cacheDir })
    expect(fetched.toSorted()).toEqual(sets[0]?.shards.map(({ key }) => key).toSorted())
    expect(await filesBelow(cacheDir)).toEqual(sets[0]?.shards.map((s) => s.sha256).toSorted())
    for (const budgetBytes of [ALL, streamingBudgetOf(sets)]) {
      const { source, close } = await openFeatures(store, sets, { cacheDir, budgetBytes })
      for await (const { views } of source.read([2, 1, 0], 1)) expect(views).toHaveLength(1)
      await close()
    }
    expect(fetched).toHaveLength(3)
  })

  it('that are damaged or gone are fetched again, before training and in the middle of it', async () => {
    const { store, cacheDir, fetched } = await remote()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    const [first, second, third] = sets[0]?.shards ?? []
    await openFeatures(store, sets, { cacheDir })
    await writeFile(join(cacheDir, first?.sha256 ?? ''), 'garbage')
    await writeFile(join(cacheDir, second?.sha256 ?? ''), Buffer.alloc(second?.bytes ?? 0))
    await rm(join(cacheDir, third?.sha256 ?? ''))
    const budgetBytes = streamingBudgetOf(sets)
    const { source, keys, close } = await openFeatures(store, sets, { cacheDir, budgetBytes })
    expect(fetched).toHaveLength(6)
    await rm(join(cacheDir, second?.sha256 ?? ''))
    await truncate(join(cacheDir, first?.sha256 ?? ''), 10)
    for await (const { chunk, views } of source.read([0, 1, 2], 1))
      expect(views[0]).toEqual(blockOf(keys.slice(chunk.begin, chunk.end), 0, WIDTH))
    expect(fetched.slice(6).toSorted()).toEqual([first?.key, second?.key].toSorted())
    await close()
  })

  it('leave no byte in memory when one bit of them is wrong', async () => {
    const { store, cacheDir, fetched } = await remote()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    await openFeatures(store, sets, { cacheDir })
    const [, shard] = sets[0]?.shards ?? []
    const copy = join(cacheDir, shard?.sha256 ?? '')
    const bytes = await readFile(copy)
    const middle = bytes.length >> 1
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
    await writeFile(copy, bytes)
    const { source, keys } = await openFeatures(store, sets, { cacheDir, budgetBytes: ALL })
    expect(source.resident).toEqual([blockOf(keys, 0, WIDTH)])
    expect(fetched.slice(3)).toEqual([shard?.key])
  })

  it('stay within their bound; what was evicted is fetched again', async () => {
    const { store, cacheDir, fetched } = await remote(40_000)
    const sets = await storeSets(store, made(60, [10, 20, 30, 40, 50, 60]))
    const budgetBytes = streamingBudgetOf(sets)
    const { source, keys, close } = await openFeatures(store, sets, { cacheDir, budgetBytes })
    const seen: Float32Array[] = []
    for (let epoch = 0; epoch < 2; epoch += 1)
      for await (const { views } of source.read([0, 1, 2, 3, 4, 5], 1))
        seen.push(Float32Array.from(views[0] ?? []))
    expect(seen.slice(6)).toEqual(seen.slice(0, 6))
    expect(Float32Array.from(seen.slice(6).flatMap((part) => [...part]))).toEqual(
      blockOf(keys, 0, WIDTH),
    )
    const sizes = await Promise.all(
      (await filesBelow(cacheDir)).map(async (name) => (await stat(join(cacheDir, name))).size),
    )
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(total).toBeLessThanOrEqual(40_000 * 1.125)
    expect(fetched.length).toBeGreaterThan(6)
    await close()
  })

  it('do not hide that the store has other bytes', async () => {
    const { inner, store, cacheDir } = await remote()
    const sets = await storeSets(store, made(40, [10, 20, 40]))
    const shard = sets[0]?.shards[0] as FeatureSet['shards'][number]
    await writeFile(pathOf(inner, shard), Buffer.alloc(shard.bytes))
    const failure = await failureOf(openFeatures(store, sets, { cacheDir }))
    expect(failure).toMatchObject({ code: 'FEATURES_CORRUPT', details: [shard.key] })
  })
})
