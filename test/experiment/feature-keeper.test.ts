// Which features stay open, what takes their place, and that everything is closed in the end.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createFeatureKeeper, type FeatureKeeper } from '../../src/experiment/feature-keeper.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import { openFeatures } from '../../src/features/open-features.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { failureOf } from '../dataset/support.js'
import { storeSets, streamingBudgetOf } from '../support/feature-sets.js'
import { makeFolder } from '../support/folders.js'
import { sampleKeys } from '../support/shards.js'

const WIDTH = 64
const keys = sampleKeys(60)
const ENDS = [11, 20, 35, 47, 60]
const BLOCK_BYTES = keys.length * WIDTH * Float32Array.BYTES_PER_ELEMENT
const NONE = new Set<string>()

let store: Store
/** Three views of one dataset; a sample is missing in the last one. */
let views: readonly [FeatureSet, FeatureSet, FeatureSet]
/** Features of another cut of the same size. */
let other: FeatureSet
beforeAll(async () => {
  store = createFileStore(join(await makeFolder(), 'store'))
  const made = { keys, width: WIDTH, ends: ENDS }
  const lost = new Set([keys[5] as string])
  const sets = await storeSets(store, { ...made, quarantined: [NONE, NONE, lost, NONE] })
  const [plain, second, third, fourth] = sets as [FeatureSet, FeatureSet, FeatureSet, FeatureSet]
  views = [plain, second, third]
  other = fourth
})

/** A keeper, and what it opened and closed, in order. */
const watch = (budgetBytes: number) => {
  const keeper = createFeatureKeeper(budgetBytes)
  const log: string[] = []
  const open = (name: string, sets: readonly FeatureSet[]): ReturnType<FeatureKeeper['open']> =>
    keeper.open(sets, async (left) => {
      const features = await openFeatures(store, sets, { budgetBytes: left })
      log.push(`open ${name}`)
      const close = async (): Promise<void> => {
        await features.close()
        log.push(`close ${name}`)
      }
      return { features: { ...features, close }, sets }
    })
  return { keeper, log, open }
}

const PLENTY = 100 * BLOCK_BYTES

describe('features that are open', () => {
  it('are given again, also to those who want fewer views', async () => {
    const { keeper, log, open } = watch(PLENTY)
    const two = await open('two views', views.slice(0, 2))
    expect(await open('one view', [views[0]])).toBe(two)
    expect(keeper.find([views[0]])).toBe(two)
    expect(keeper.find([views[1]])).toBeNull()
    await keeper.close()
    expect(log).toEqual(['open two views', 'close two views'])
    expect(keeper.find([views[0]])).toBeNull()
  })

  it('are not given to those who want samples that they leave out', async () => {
    const { keeper, open } = watch(PLENTY)
    const three = await open('three views', views)
    expect(three.keys).toHaveLength(keys.length - 1)
    expect(keeper.find([views[0]])).toBeNull()
    const plain = await open('one view', [views[0]])
    expect(plain.keys).toEqual(keys)
    await keeper.close()
  })

  it('are not given where the features were computed anew since', async () => {
    const { keeper, open } = watch(PLENTY)
    await open('before', [views[0]])
    const [first, ...rest] = views[0].shards
    const shards = [{ ...(first as (typeof rest)[number]), sha256: 'f'.repeat(64) }, ...rest]
    expect(keeper.find([{ ...views[0], shards }])).toBeNull()
    await keeper.close()
  })

  it('are known by what a repair made of them', async () => {
    const keeper = createFeatureKeeper(PLENTY)
    const damaged = { ...views[0], shards: views[0].shards.slice(1) }
    const features = await openFeatures(store, [views[0]])
    await keeper.open([damaged], async () => ({ features, sets: [views[0]] }))
    expect(keeper.find([views[0]])).toBe(features)
    expect(keeper.find([damaged])).toBeNull()
    await keeper.close()
  })
})

describe('memory', () => {
  it('holds several cuts where they fit together', async () => {
    const { keeper, log, open } = watch(PLENTY)
    const [one, two] = [await open('one', [views[0]]), await open('two', [other])]
    expect(await open('one again', [views[0]])).toBe(one)
    expect(keeper.find([other])).toBe(two)
    await keeper.close()
    expect(log).toEqual(['open one', 'open two', 'close one', 'close two'])
  })

  it('is freed of what was not used for longest before anything is opened', async () => {
    // Two blocks, and the shards that are being read; a third block does not fit.
    const { keeper, log, open } = watch(2.9 * BLOCK_BYTES)
    await open('one', [views[0]])
    await open('two', [other])
    await open('one again', [views[0]])
    const third = await open('three', [views[1]])
    expect(third.source.resident).not.toBeNull()
    expect(log).toEqual(['open one', 'open two', 'close two', 'open three'])
    await keeper.close()
  })

  it('holds nothing beside features that are streamed', async () => {
    const { keeper, log, open } = watch(streamingBudgetOf([views[0]]))
    const streamed = await open('one', [views[0]])
    expect(streamed.source.resident).toBeNull()
    expect(await open('one again', [views[0]])).toBe(streamed)
    const second = await open('two', [other])
    expect(log).toEqual(['open one', 'close one', 'open two'])
    const read = async (source: typeof streamed.source): Promise<void> => {
      for await (const { chunk } of source.read([0], 1)) expect(chunk.begin).toBe(0)
    }
    await read(second.source)
    expect((await failureOf(read(streamed.source))).code).toBe('INTERRUPTED')
    await keeper.close()
    expect((await failureOf(read(second.source))).code).toBe('INTERRUPTED')
  })

  it('is not filled by what could not be opened', async () => {
    const { keeper, log, open } = watch(PLENTY)
    const shards = views[0].shards.map((shard) => ({ ...shard, sha256: 'f'.repeat(64) }))
    const damaged = { ...views[0], shards }
    expect((await failureOf(open('damaged', [damaged]))).code).toBe('FEATURES_CORRUPT')
    expect(keeper.find([damaged])).toBeNull()
    await open('one', [views[0]])
    await keeper.close()
    expect(log).toEqual(['open one', 'close one'])
  })
})
