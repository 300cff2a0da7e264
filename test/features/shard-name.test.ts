import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseShardStoreKey, shardPrefix, shardStoreKey } from '../../src/features/shard-name.js'
import { sha256 } from '../../src/identity/hash.js'
import { shardKeyOf } from '../../src/identity/ids.js'
import { sampleKeys } from '../support/shards.js'

const EXTRACTOR = sha256('extractor')

describe('shard names', () => {
  it('say first key, last key and shard key, and are read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(1000), (count, from) => {
        const keys = sampleKeys(count, from)
        const storeKey = shardStoreKey(EXTRACTOR, keys)
        expect(storeKey.startsWith(shardPrefix(EXTRACTOR))).toBe(true)
        expect(parseShardStoreKey(storeKey)).toEqual({
          first: keys.at(0),
          last: keys.at(-1),
          shardKey: shardKeyOf(EXTRACTOR, keys),
        })
      }),
    )
  })

  it('differ for the same range of other keys', () => {
    const keys = sampleKeys(5)
    const fewer = keys.filter((_, i) => i !== 2)
    expect(shardStoreKey(EXTRACTOR, fewer)).not.toBe(shardStoreKey(EXTRACTOR, keys))
  })

  const name = shardStoreKey(EXTRACTOR, sampleKeys(2))
  it.each([
    ['nothing', ''],
    ['another suffix', name.replace('.arrow', '.parquet')],
    ['a draft', `${name}.tmp`],
    ['upper case', name.toUpperCase()],
    ['a part that is too short', name.replace(/.\.arrow$/, '.arrow')],
    ['a part too many', name.replace('.arrow', `-${EXTRACTOR}.arrow`)],
    ['a line break', `${name}\n`],
    ['what is no hex', name.replace(/[0-9a-f]\.arrow$/, 'g.arrow')],
  ])('are not read out of %s', (_, key) => {
    expect(parseShardStoreKey(key)).toBeNull()
  })
})
