import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFileStore } from '../../src/store/file.js'
import { makeFolder } from '../support/folders.js'
import { createExtractor, extractContents, sample, samples } from './support.js'

describe('reuse of rows', () => {
  it('computes exactly the samples that were never seen, after any edits of a dataset', async () => {
    const edit = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(1, 4, 64),
        async (datasets, shardRows) => {
          const store = createFileStore(await makeFolder())
          const seen = new Set<number>()
          for (const names of datasets) {
            const unseen = names.filter((name) => !seen.has(name))
            const extractor = createExtractor()
            const contents = names.map(sample)
            const { computed, reused } = await extractContents(store, extractor, contents, {
              shardRows,
            })
            expect(computed).toBe(unseen.length)
            expect(reused).toBe(names.length - unseen.length)
            expect([...extractor.computed].sort()).toEqual(
              unseen.map((name) => `sample ${name}`).sort(),
            )
            for (const name of names) seen.add(name)
          }
        },
      ),
      { numRuns: 12 },
    )
  })

  it('gives the same shards whether rows were copied or computed', async () => {
    const [grown, whole] = [await makeFolder(), await makeFolder()].map(createFileStore)
    if (grown === undefined || whole === undefined) throw new Error('no store')
    for (const count of [5, 17, 18, 40])
      await extractContents(grown, createExtractor(), samples(count), { shardRows: 8 })
    const [a, b] = [
      await extractContents(grown, createExtractor(), samples(40), { shardRows: 8 }),
      await extractContents(whole, createExtractor(), samples(40), { shardRows: 8 }),
    ]
    expect(a.featureSet).toEqual(b.featureSet)
  })

  it('joins many small datasets without computing a sample again', async () => {
    const store = createFileStore(await makeFolder())
    for (let part = 0; part < 24; part += 1)
      await extractContents(store, createExtractor(), samples(3, part * 3))
    const { computed } = await extractContents(store, createExtractor(), samples(72))
    expect(computed).toBe(0)
  })

  it('computes one sample for one added to a dataset that grew sample by sample', async () => {
    const store = createFileStore(await makeFolder())
    for (let count = 1; count <= 24; count += 1) {
      const { computed } = await extractContents(store, createExtractor(), samples(count))
      expect(computed).toBe(1)
    }
  })
})
