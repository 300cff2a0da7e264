import { describe, expect, it } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { sampleKeyOfBytes } from '../../src/identity/ids.js'
import { createFileStore } from '../../src/store/file.js'
import { failureOf } from '../dataset/support.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { brokenSample, createExtractor, extractContents, sample, samples } from './support.js'

const undisturbed = async (contents: readonly Uint8Array[], shardRows: number) => {
  const store = createFileStore(await makeFolder())
  return (await extractContents(store, createExtractor(), contents, { shardRows })).featureSet
}

describe('an extraction that does not come to its end', () => {
  it.each([1, 3, 6])('keeps what was computed when it is aborted at batch %i', async (at) => {
    const folder = await makeFolder()
    const store = createFileStore(folder)
    const contents = samples(40)
    const abort = new AbortController()
    const first = createExtractor({
      onRows: (batch) => {
        if (batch >= at) abort.abort()
      },
    })
    const options = { shardRows: 16, signal: abort.signal }
    const failure = await failureOf(extractContents(store, first, contents, options))
    expect(failure.code).toBe('INTERRUPTED')
    expect(first.closed()).toBe(1)
    expect(first.computed.length).toBeGreaterThan(0)
    expect(first.computed.length).toBeLessThan(40)
    expect(await filesBelow(`${folder}/feature-sets`)).toEqual([])

    const second = createExtractor()
    const { computed, featureSet } = await extractContents(store, second, contents, {
      shardRows: 16,
    })
    expect(computed).toBe(40 - first.computed.length)
    expect([...first.computed, ...second.computed].sort()).toEqual(
      contents.map((content) => Buffer.from(content).toString()).sort(),
    )
    expect(featureSet).toEqual(await undisturbed(contents, 16))
  })

  it('computes nothing when it was aborted before', async () => {
    const extractor = createExtractor()
    const store = createFileStore(await makeFolder())
    const signal = AbortSignal.abort()
    const failure = await failureOf(extractContents(store, extractor, samples(9), { signal }))
    expect(failure.code).toBe('INTERRUPTED')
    expect(extractor.computed).toEqual([])
  })

  it('keeps the rows that an engine computed before it failed', async () => {
    const store = createFileStore(await makeFolder())
    const first = createExtractor({
      onRows: (batch) => {
        if (batch >= 4) throw new HeadstartError('ENGINE_FAILED', 'out of memory')
      },
    })
    const failure = await failureOf(extractContents(store, first, samples(40), { shardRows: 64 }))
    expect(failure.code).toBe('ENGINE_FAILED')
    expect(first.computed.length).toBeGreaterThanOrEqual(16)
    const second = createExtractor()
    const { computed, featureSet } = await extractContents(store, second, samples(40), {
      shardRows: 64,
    })
    expect(computed).toBe(40 - first.computed.length)
    expect(featureSet).toEqual(await undisturbed(samples(40), 64))
  })

  it('computes the rest before it says which samples vanished, and keeps it', async () => {
    const folder = await makeFolder()
    const store = createFileStore(folder)
    const contents = samples(24)
    const vanished = contents.slice(3, 5)
    const first = createExtractor()
    const failure = await failureOf(extractContents(store, first, contents, { vanished }))
    expect(failure.code).toBe('DATASET_CHANGED')
    expect(failure.message).toContain('2 of 24')
    expect([...failure.details].sort()).toEqual(['sample 3', 'sample 4'])
    expect(first.computed).toHaveLength(22)
    expect(await filesBelow(`${folder}/feature-sets`)).toEqual([])

    const without = contents.filter((content) => !vanished.includes(content))
    const second = await extractContents(store, createExtractor(), without)
    expect(second.computed).toBe(0)
    const third = await extractContents(store, createExtractor(), contents)
    expect(third.computed).toBe(2)
  })

  it('says so when every sample vanished', async () => {
    const folder = await makeFolder()
    const vanished = samples(5)
    const failure = await failureOf(
      extractContents(createFileStore(folder), createExtractor(), vanished, { vanished }),
    )
    expect(failure.code).toBe('DATASET_CHANGED')
    expect(await filesBelow(`${folder}/features`)).toEqual([])
  })
})

describe('quarantine', () => {
  it('is written with its reasons, and reused by datasets that share the samples', async () => {
    const store = createFileStore(await makeFolder())
    const contents = [...samples(10), brokenSample('a'), brokenSample('b')]
    const { featureSet, computed } = await extractContents(store, createExtractor(), contents)
    expect(computed).toBe(12)
    expect(featureSet.rows).toBe(10)
    expect(featureSet.quarantine).toEqual(
      [brokenSample('a'), brokenSample('b')]
        .map((content) => ({ key: sampleKeyOfBytes(content), reason: 'cannot be decoded' }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    )
    const second = createExtractor()
    const larger = await extractContents(store, second, [...contents, sample('new')])
    expect(second.computed).toEqual(['sample new'])
    expect(larger.featureSet.quarantine).toEqual(featureSet.quarantine)
  })

  it('may hold every sample', async () => {
    const store = createFileStore(await makeFolder())
    const contents = ['a', 'b', 'c'].map(brokenSample)
    const { featureSet } = await extractContents(store, createExtractor(), contents)
    expect(featureSet.rows).toBe(0)
    const again = await extractContents(store, createExtractor(), contents)
    expect(again).toMatchObject({ computed: 0, featureSet })
  })
})
