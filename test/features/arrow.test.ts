import { tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import {
  decodeShard,
  encodeShard,
  featuresPositionOf,
  TAIL_BYTES,
} from '../../src/features/arrow.js'
import type { Shard } from '../../src/features/shard.js'
import { canonicalJson, type JsonValue } from '../../src/identity/canonical-json.js'
import { sha256 } from '../../src/identity/hash.js'
import { makeShard, sampleKeys } from '../support/shards.js'

const bitsOf = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

const expectEqualShards = (found: Shard, expected: Shard): void => {
  expect(found.metadata).toEqual(expected.metadata)
  expect(found.keys).toEqual(expected.keys)
  expect(bitsOf(found.values)).toBe(bitsOf(expected.values))
}

const corrupt = (bytes: Uint8Array): boolean => {
  try {
    decodeShard(bytes)
    return false
  } catch (error) {
    return isHeadstartError(error, 'FEATURES_CORRUPT')
  }
}

/** An Arrow file with these columns and, under `headstart`, this metadata. */
const foreignFile = (columns: Parameters<typeof tableFromArrays>[0], metadata?: JsonValue) => {
  const table = tableFromArrays(columns)
  if (metadata !== undefined) table.schema.metadata.set('headstart', canonicalJson(metadata))
  return tableToIPC(table, 'file')
}

describe('a shard file', () => {
  it('holds the keys, the exact bits and the metadata of any shard', () => {
    const bits = fc.array(fc.nat(2 ** 32 - 1), { minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), bits, (rows, words) => {
        const width = Math.floor(12 / rows)
        const shard = makeShard({ keys: sampleKeys(rows), width })
        const values = new Float32Array(Uint32Array.from(words).buffer, 0, rows * width)
        expectEqualShards(decodeShard(encodeShard({ ...shard, values })), { ...shard, values })
      }),
    )
  })

  it('has the same bytes whenever it is written', () => {
    const parts = { keys: sampleKeys(100), width: 17 }
    const bytes = encodeShard(makeShard(parts))
    expect(Buffer.compare(encodeShard(makeShard(parts)), bytes)).toBe(0)
    expect(Buffer.compare(encodeShard(decodeShard(bytes)), bytes)).toBe(0)
    // The file format is a contract: certificates in stores everywhere name this hash.
    expect(sha256(bytes)).toBe('efbe1c9fc418bc6bd0b1429a0dce3c2abaed143509c3278129316e05830a2526')
  })

  it('may hold no row and quarantined samples only', () => {
    const [first = '', second = ''] = sampleKeys(2)
    const quarantine = [
      { key: first, reason: 'the file is empty' },
      { key: second, reason: 'ünïcödé "quoted"' },
    ]
    const shard = makeShard({ keys: [], width: 4, quarantine })
    expectEqualShards(decodeShard(encodeShard(shard)), shard)
  })

  it('is an Arrow file with 8-byte aligned buffers and no compression', () => {
    const bytes = encodeShard(makeShard({ keys: sampleKeys(3), width: 5 }))
    const magic = (part: Uint8Array) => Buffer.from(part).toString('latin1')
    expect([magic(bytes.subarray(0, 6)), magic(bytes.subarray(-6))]).toEqual(['ARROW1', 'ARROW1'])
    const { values } = decodeShard(bytes)
    expect(values.byteOffset % 8).toBe(0)
    expect(values.buffer).toBe(bytes.buffer)
  })

  it('tells by its end where its features lie', () => {
    const sizes = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(sizes, sizes, (rows, width) => {
        const bytes = encodeShard(makeShard({ keys: sampleKeys(rows), width }))
        const { byteOffset, byteLength } = decodeShard(bytes).values
        const tail = bytes.subarray(-TAIL_BYTES)
        expect(featuresPositionOf(tail, bytes.length, byteLength)).toBe(byteOffset)
      }),
    )
  })

  it.each([
    ['of fewer bytes', new Uint8Array(TAIL_BYTES - 1)],
    ['of a negative length', new Uint8Array(TAIL_BYTES).fill(255)],
    ['of a length beyond the file', new Uint8Array(TAIL_BYTES).fill(127)],
  ])('has no place for features by an end %s', (_, tail) => {
    expect(featuresPositionOf(tail, 1000, 400)).toBeNull()
  })

  it('is read the same from any offset in memory', () => {
    const shard = makeShard({ keys: sampleKeys(7), width: 3 })
    const bytes = encodeShard(shard)
    for (let offset = 0; offset < 9; offset += 1) {
      const moved = new Uint8Array(bytes.length + offset)
      moved.set(bytes, offset)
      expectEqualShards(decodeShard(moved.subarray(offset)), shard)
    }
  })

  it('takes values that start in the middle of their buffer', () => {
    const shard = makeShard({ keys: sampleKeys(4), width: 3 })
    const values = new Float32Array(17)
    values.set(shard.values, 5)
    const bytes = encodeShard({ ...shard, values: values.subarray(5) })
    expect(Buffer.compare(bytes, encodeShard(shard))).toBe(0)
  })

  it('is not made of another number of values than rows x width', () => {
    const shard = makeShard({ keys: sampleKeys(4), width: 3 })
    expect(() => encodeShard({ ...shard, values: shard.values.subarray(1) })).toThrow(RangeError)
  })
})

describe('a file that is no shard is FEATURES_CORRUPT', () => {
  const { metadata } = makeShard({ keys: sampleKeys(2), width: 2 })
  const two = { a: new Float32Array(2) }
  const good = encodeShard(makeShard({ keys: sampleKeys(2), width: 2 }))

  it.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array(0)],
    ['text', Buffer.from('key,features\n1,2\n')],
    ['JSON', Buffer.from('{"key": 1}')],
    ['a PNG', Buffer.from('\x89PNG\r\n\x1a\n0000000000', 'latin1')],
    ['half a shard', good.subarray(0, good.length >> 1)],
    ['a shard without its first bytes', good.subarray(8)],
    ['an Arrow file without our metadata', foreignFile(two)],
    ['our metadata on other columns', foreignFile(two, metadata as JsonValue)],
    ['metadata that is no shard’s', foreignFile(two, { version: 1 })],
    ['metadata with an unknown member', foreignFile(two, { ...metadata, host: 'x' } as JsonValue)],
  ])('%s', (_, bytes) => {
    expect(corrupt(bytes)).toBe(true)
  })

  it('but a shard of a later release is not damage: nobody may throw it away', () => {
    const later = foreignFile(two, { ...metadata, version: 2 } as JsonValue)
    expect(() => decodeShard(later)).toThrow(/format 2/)
    expect(corrupt(later)).toBe(false)
  })

  it('a shard whose lists are longer or shorter than its metadata says', () => {
    for (const width of [1, 3, 4]) {
      const table = tableFromIPC(encodeShard(makeShard({ keys: sampleKeys(2), width })))
      table.schema.metadata.set('headstart', canonicalJson(metadata as JsonValue))
      expect(corrupt(tableToIPC(table, 'file'))).toBe(true)
    }
  })

  it('columns of the right names and the wrong types', () => {
    const columns = { key: new Float64Array(2), features: new Float32Array(4) }
    expect(corrupt(foreignFile(columns, metadata as JsonValue))).toBe(true)
  })
})
