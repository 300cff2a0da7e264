import { describe, expect, it } from 'vitest'
import { loadFeatures } from '../../src/features/load-features.js'
import { sampleKeyOfBytes } from '../../src/identity/ids.js'
import { createFileStore } from '../../src/store/file.js'
import { makeFolder } from '../support/folders.js'
import { createExtractor, extractContents, featuresOf, samples } from './support.js'

const makeStore = async () => createFileStore(await makeFolder())

describe('the stream of an extraction', () => {
  it('gives each key the features of its own content, whatever the order of the answers', async () => {
    const store = await makeStore()
    const contents = samples(50)
    const { featureSet, computed, reused } = await extractContents(
      store,
      createExtractor({ batchSize: 3, parallelBatches: 4 }),
      contents,
      { shardRows: 8 },
    )
    expect({ computed, reused }).toEqual({ computed: 50, reused: 0 })
    const { keys, values, width } = await loadFeatures(store, featureSet)
    expect(keys).toEqual(contents.map(sampleKeyOfBytes).sort())
    const contentOf = new Map(contents.map((content) => [sampleKeyOfBytes(content), content]))
    keys.forEach((key, row) => {
      const stored = [...values.subarray(row * width, (row + 1) * width)]
      expect(stored).toEqual(featuresOf(contentOf.get(key) ?? new Uint8Array(0)))
    })
  })

  it('keeps to the batch size and to the batches that may be in flight', async () => {
    const extractor = createExtractor({ batchSize: 5, parallelBatches: 3 })
    await extractContents(await makeStore(), extractor, samples(64), { shardRows: 16 })
    expect(Math.max(...extractor.batches)).toBeLessThanOrEqual(5)
    expect(extractor.batches.reduce((sum, size) => sum + size, 0)).toBe(64)
    expect(extractor.mostAtOnce()).toBeGreaterThan(1)
    expect(extractor.mostAtOnce()).toBeLessThanOrEqual(3)
  })

  it('reads no sample further ahead than the batches in flight', async () => {
    let read = 0
    let furthest = 0
    const extractor = createExtractor({ batchSize: 4, parallelBatches: 2 })
    await extractContents(await makeStore(), extractor, samples(60), {
      onRead: () => {
        read += 1
        furthest = Math.max(furthest, read - extractor.computed.length)
      },
    })
    expect(furthest).toBeLessThanOrEqual(4 * 2)
  })

  it('starts one engine for all shards and closes it', async () => {
    const extractor = createExtractor()
    await extractContents(await makeStore(), extractor, samples(40), { shardRows: 4 })
    expect([extractor.opened(), extractor.closed()]).toEqual([1, 1])
  })

  it('starts no engine when everything is there', async () => {
    const store = await makeStore()
    await extractContents(store, createExtractor(), samples(20))
    const second = createExtractor()
    const { computed, reused } = await extractContents(store, second, samples(20))
    expect({ computed, reused, opened: second.opened() }).toEqual({
      computed: 0,
      reused: 20,
      opened: 0,
    })
  })

  it('reports progress that grows to the total', async () => {
    const seen: { done: number; computed: number; total: number }[] = []
    await extractContents(await makeStore(), createExtractor(), samples(30), {
      shardRows: 8,
      onProgress: (progress) => seen.push({ ...progress }),
    })
    expect(seen.at(-1)).toEqual({ done: 30, computed: 30, total: 30 })
    for (const [i, { done }] of seen.entries())
      expect(done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0)
  })

  it('writes the same bytes for the same samples, in two stores', async () => {
    const bytesOf = async () => {
      const store = await makeStore()
      const { featureSet } = await extractContents(store, createExtractor(), samples(30), {
        shardRows: 8,
      })
      return featureSet
    }
    expect(await bytesOf()).toEqual(await bytesOf())
  })
})
