import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planExtraction } from '../../src/extract/plan.js'
import { extractShards } from '../../src/extract/shards.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../../src/extractor/spec.js'
import { decodeShard } from '../../src/features/arrow.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import { shardPrefix } from '../../src/features/shard-name.js'
import { sampleKeyOfBytes } from '../../src/identity/ids.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { makeFolder } from '../support/folders.js'
import {
  brokenSample,
  createExtractor,
  extractCuts,
  featuresOf,
  OTHER,
  otherFeaturesOf,
  SPEC,
  sample,
  samples,
} from './support.js'

const BOTH = [SPEC, OTHER]
const newStore = async (): Promise<Store> => createFileStore(await makeFolder())

/** Rows by sample key. */
const rowsOf = async (store: Store, { shards }: FeatureSet): Promise<Map<string, number[]>> => {
  const rows = new Map<string, number[]>()
  for (const shard of shards) {
    const { keys, values } = decodeShard((await store.get(shard.key)) as Uint8Array)
    const width = values.length / keys.length
    for (const [i, key] of keys.entries())
      rows.set(key, [...values.subarray(i * width, (i + 1) * width)])
  }
  return rows
}

describe('several cuts', () => {
  it('share one forward pass a sample, and each has its own features', async () => {
    const store = await newStore()
    const extractor = createExtractor()
    const contents = samples(100)
    const results = await extractCuts(store, extractor, contents, BOTH, { shardRows: 16 })
    expect(extractor.computed).toHaveLength(100)
    expect(results.map(({ computed, reused }) => [computed, reused])).toEqual([
      [100, 0],
      [0, 100],
    ])
    const [first, second] = results.map(({ featureSet }) => featureSet)
    if (first === undefined || second === undefined) throw new Error('two results are missing')
    const [one, other] = [await rowsOf(store, first), await rowsOf(store, second)]
    for (const content of contents) {
      const key = sampleKeyOfBytes(content)
      expect(one.get(key)).toEqual(featuresOf(content))
      expect(other.get(key)).toEqual(otherFeaturesOf(content))
    }
  })

  it('have the bytes that each has alone, quarantine included', async () => {
    const contents = [...samples(40), brokenSample('a'), brokenSample('b')]
    const together = await newStore()
    const sets = await extractCuts(together, createExtractor(), contents, BOTH, { shardRows: 8 })
    for (const [i, spec] of BOTH.entries()) {
      const alone = await newStore()
      const [own] = await extractCuts(alone, createExtractor(), contents, [spec], { shardRows: 8 })
      expect(sets[i]?.featureSet).toEqual(own?.featureSet)
      expect(own?.featureSet.quarantine).toHaveLength(2)
    }
  })

  it('run the base only up to what is missing: a cut that is there is not asked for', async () => {
    const store = await newStore()
    await extractCuts(store, createExtractor(), samples(20), [SPEC])
    const later = createExtractor()
    const results = await extractCuts(store, later, samples(20), BOTH)
    expect(later.asked()).toEqual([['other']])
    expect(results.map(({ computed }) => computed)).toEqual([0, 20])
    const again = createExtractor()
    await extractCuts(store, again, samples(20), BOTH)
    expect(again.opened()).toBe(0)
  })

  it('need one forward pass for one more sample', async () => {
    const store = await newStore()
    await extractCuts(store, createExtractor(), samples(30), BOTH, { shardRows: 8 })
    const later = createExtractor()
    await extractCuts(store, later, samples(31), BOTH, { shardRows: 8 })
    expect(later.computed).toEqual(['sample 30'])
  })

  it('compute exactly the samples that a cut of the request lacks, whatever was extracted before', async () => {
    const names = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 20 })
    const request = fc.record({ names, cuts: fc.constantFrom([SPEC], [OTHER], BOTH) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1, 4, 64),
        async (requests, shardRows) => {
          const store = await newStore()
          const seen = new Map<ExtractorSpec, Set<number>>(BOTH.map((spec) => [spec, new Set()]))
          for (const { names: wanted, cuts } of requests) {
            const lacked = wanted.filter((name) => cuts.some((spec) => !seen.get(spec)?.has(name)))
            const extractor = createExtractor()
            const results = await extractCuts(store, extractor, wanted.map(sample), cuts, {
              shardRows,
            })
            expect([...extractor.computed].sort()).toEqual(lacked.map((n) => `sample ${n}`).sort())
            expect(results.reduce((sum, { computed }) => sum + computed, 0)).toBe(lacked.length)
            for (const spec of cuts) for (const name of wanted) seen.get(spec)?.add(name)
          }
        },
      ),
      { numRuns: 12 },
    )
  })

  it('may be cut into shards of different sizes', async () => {
    const store = await newStore()
    const contents = samples(200)
    const contentOf = new Map(contents.map((content) => [sampleKeyOfBytes(content), content]))
    const keys = [...contentOf.keys()].sort()
    const extractor = createExtractor({ batchSize: 7 })
    const wanted = [
      { spec: SPEC, shards: planExtraction(SPEC, keys, 32) },
      { spec: OTHER, shards: planExtraction(OTHER, keys, 4) },
    ]
    const { shards, computed } = await extractShards(
      {
        store,
        keys,
        openPass: extractor.open,
        nameOf: (key) => key,
        readSample: async (key) => contentOf.get(key) ?? new Uint8Array(0),
      },
      wanted,
      undefined,
    )
    expect(computed).toBe(200)
    expect(extractor.computed).toHaveLength(200)
    expect(shards.map(({ key }) => key)).toEqual(
      wanted.flatMap((one) => one.shards.map(({ storeKey }) => storeKey)),
    )
    for (const { key } of shards) {
      const { keys: rowKeys, values } = decodeShard((await store.get(key)) as Uint8Array)
      const isOther = key.startsWith(shardPrefix(extractorIdOfSpec(OTHER)))
      const expected = isOther ? otherFeaturesOf : featuresOf
      expect([...values]).toEqual(
        rowKeys.flatMap((rowKey) => expected(contentOf.get(rowKey) as Uint8Array)),
      )
    }
  })

  it('keep what was computed when a batch fails, in both', async () => {
    const store = await newStore()
    const failing = createExtractor({
      parallelBatches: 1,
      onRows: (batch) => {
        if (batch === 3) throw new Error('the engine is gone')
      },
    })
    await expect(extractCuts(store, failing, samples(40), BOTH)).rejects.toThrow('engine is gone')
    const later = createExtractor()
    await extractCuts(store, later, samples(40), BOTH)
    expect(later.computed).toHaveLength(40 - failing.computed.length)
    expect(failing.computed.length).toBeGreaterThan(0)
  })
})
