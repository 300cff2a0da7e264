import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/identity/canonical-json.js'
import { SHA256_PATTERN, sha256, sha256OfJson, shortId } from '../../src/identity/hash.js'
import {
  contentIdOf,
  extractorIdOf,
  featureSetIdOf,
  runKeyOf,
  sampleKeyOfBytes,
  sampleKeyOfRow,
  shardKeyOf,
} from '../../src/identity/ids.js'

const key = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => sha256(bytes))
const keys = fc.array(key, { minLength: 1, maxLength: 20 })
const [A, B, C] = ['a', 'b', 'c'].map((text) => sha256(text)) as [string, string, string]
const row = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer)

describe('sample keys', () => {
  it('are the SHA-256 of the content', () => {
    // FIPS 180-2, appendix B.1.
    expect(sampleKeyOfBytes(Buffer.from('abc'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  it('of rows depend on dtype, shape and bytes', () => {
    const original = sampleKeyOfRow('float32', [2, 3], row(1, 2, 3, 4, 5, 6))
    const others = [
      sampleKeyOfRow('float64', [2, 3], row(1, 2, 3, 4, 5, 6)),
      sampleKeyOfRow('float32', [3, 2], row(1, 2, 3, 4, 5, 6)),
      sampleKeyOfRow('float32', [6], row(1, 2, 3, 4, 5, 6)),
      sampleKeyOfRow('float32', [2, 3], row(1, 2, 3, 4, 5, 7)),
      sampleKeyOfRow('float32', [2, 3], row(1, 2, 3, 4, 5, 6).subarray(1)),
    ]
    expect(sampleKeyOfRow('float32', [2, 3], row(1, 2, 3, 4, 5, 6))).toBe(original)
    expect(new Set([original, ...others]).size).toBe(others.length + 1)
  })

  it('of rows tell 0 from -0: their bytes differ', () => {
    expect(sampleKeyOfRow('float32', [1], row(0))).not.toBe(sampleKeyOfRow('float32', [1], row(-0)))
  })
})

describe('content id', () => {
  it('depends on neither the order nor the repetition of samples', () => {
    fc.assert(
      fc.property(keys, fc.infiniteStream(fc.nat(1000)), (list, ranks) => {
        const mixed = [...list, ...list.slice(0, 3)]
          .map((id) => ({ id, rank: ranks.next().value }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ id }) => id)
        expect(contentIdOf(mixed)).toBe(contentIdOf(list))
      }),
    )
  })

  it('changes with every sample that is added', () => {
    fc.assert(
      fc.property(keys, key, (list, added) => {
        fc.pre(!list.includes(added))
        expect(contentIdOf([...list, added])).not.toBe(contentIdOf(list))
      }),
    )
  })

  it('leaves the list that it was given as it was', () => {
    const list = [C, A, B]
    contentIdOf(list)
    expect(list).toEqual([C, A, B])
  })
})

describe('run key', () => {
  const request = {
    featureSetIds: [A, B],
    datasetId: C,
    head: { kind: 'linear', l2: 0 } as JsonValue,
    seed: 1,
  }

  it('is the same for an identical request', () => {
    expect(runKeyOf({ ...request, head: { l2: 0, kind: 'linear' } })).toBe(runKeyOf(request))
  })

  it.each<[string, Partial<typeof request>]>([
    ['the feature set', { featureSetIds: [B] }],
    ['the order of views', { featureSetIds: [B, A] }],
    ['the labelled dataset', { datasetId: A }],
    ['any member of the head', { head: { kind: 'linear', l2: 1e-12 } }],
    ['the seed', { seed: 2 }],
  ])('changes with %s', (_, change) => {
    expect(runKeyOf({ ...request, ...change })).not.toBe(runKeyOf(request))
  })
})

describe('identities', () => {
  it('are 64 lower-case hex characters, shown with 12', () => {
    expect(A).toMatch(SHA256_PATTERN)
    expect(shortId(A)).toBe(A.slice(0, 12))
  })

  it('of a shard depend on the extractor and on the keys in order', () => {
    const ids = [
      shardKeyOf(A, [B, C]),
      shardKeyOf(B, [B, C]),
      shardKeyOf(A, [B]),
      shardKeyOf(A, [C, B]),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('of a feature set do not mix up extractor and content', () => {
    expect(featureSetIdOf(A, B)).not.toBe(featureSetIdOf(B, A))
  })

  // Computed by Python's hashlib. Caches all over the world are filed under these: a change of any line is a change of the format.
  it('never change', () => {
    expect({
      json: sha256OfJson({ b: [1, 'ä', null], a: -0 }),
      row: sampleKeyOfRow('float32', [2, 2], row(1, -2, 0.5, 1e-30)),
      content: contentIdOf([B, A, B, C]),
      shard: shardKeyOf(A, [B, C]),
      extractor: extractorIdOf({ cut: 'x', base: A }),
      featureSet: featureSetIdOf(A, B),
      run: runKeyOf({ featureSetIds: [A, B], datasetId: C, head: { kind: 'linear' }, seed: 7 }),
    }).toEqual({
      json: '84e05bd977653262f1be2950326c1544b594595e76f7f242e1fec395f50b29ca',
      row: '228ffa6a411b7df5add93367f3cddd22542d305e83ef734026203897bfdb0001',
      content: '5e54b010de6b14acfa6d459634775982e59708a0b727bdc247e64f971cfe506f',
      shard: 'd9f9ea10f0e1d81d5d3533158d9ff3b83f8974177ab4e69d5cfb4ba36f36a02a',
      extractor: '93373717e2d68824fc8ed6d771342293649a7f319e878dc2f0002c55ab662bc9',
      featureSet: 'a8e502885ff463fa8de8a6ec120e78a2ca211b48068ee7fbab696c47815a9679',
      run: 'd08891327a3f8ba898cf9642484b7369094d3743f2721dff7421aea575e4cb56',
    })
  })
})
