import { readFile, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { createSafeKeeper } from '../../src/extract/keep-safe.js'
import { listShards } from '../../src/extract/reuse.js'
import { createShardBuilder, type ShardBuilder } from '../../src/extract/shard-builder.js'
import { extractorIdOfSpec } from '../../src/extractor/spec.js'
import { createFileStore } from '../../src/store/file.js'
import { makeFolder } from '../support/folders.js'
import { sampleKeys } from '../support/shards.js'
import { createExtractor, extractContents, SPEC, samples, WIDTH } from './support.js'

const ID = extractorIdOfSpec(SPEC)
const KEYS = sampleKeys(6)

const makeBuilder = (): ShardBuilder => createShardBuilder(ID, SPEC, KEYS)

const compute = (builder: ShardBuilder, count: number): void => {
  for (const [i, key] of KEYS.slice(0, count).entries())
    builder.setRow(key, new Float32Array(WIDTH).fill(i), 'computed')
}

const place = async () => {
  const store = createFileStore(await makeFolder())
  return { store, parts: async () => (await listShards(store, ID)).map(({ key }) => key) }
}

it('an unfinished shard is written now and then, each part in place of the one before', async () => {
  const { store, parts } = await place()
  const keeper = createSafeKeeper({ store }, 0)
  const builder = makeBuilder()
  keeper.begin(builder)
  compute(builder, 2)
  await keeper.saveNowAndThen(builder)
  const first = await parts()
  expect(first).toHaveLength(1)
  await keeper.saveNowAndThen(builder)
  expect(await parts()).toEqual(first)
  compute(builder, 4)
  await keeper.saveNowAndThen(builder)
  const second = await parts()
  expect(second).toHaveLength(1)
  expect(second).not.toEqual(first)
  await keeper.finish(builder, builder.storeKey)
  expect(await parts()).toEqual([])
})

it('nothing is written before its time', async () => {
  const { store, parts } = await place()
  const keeper = createSafeKeeper({ store }, 3_600_000)
  const builder = makeBuilder()
  keeper.begin(builder)
  compute(builder, 3)
  await keeper.saveNowAndThen(builder)
  expect(await parts()).toEqual([])
})

it('a part that was somebody else’s shard already is not removed', async () => {
  const { store, parts } = await place()
  const theirs = createShardBuilder(ID, SPEC, KEYS.slice(0, 2))
  compute(theirs, 2)
  const encoded = theirs.encode()
  await store.putIfAbsent(theirs.storeKey, encoded?.bytes ?? new Uint8Array())
  const keeper = createSafeKeeper({ store }, 0)
  const builder = makeBuilder()
  keeper.begin(builder)
  compute(builder, 2)
  await keeper.saveNowAndThen(builder)
  compute(builder, 5)
  await keeper.saveNowAndThen(builder)
  expect(await parts()).toContain(theirs.storeKey)
})

it('a rescue tries every shard and keeps the reason why the extraction ended', async () => {
  const { store, parts } = await place()
  let refused = 0
  const full = {
    ...store,
    putIfAbsent: async (key: string, content: Uint8Array) => {
      refused += 1
      if (refused === 1) throw new HeadstartError('STORE_FULL', 'the disk is full')
      return store.putIfAbsent(key, content)
    },
  }
  const keeper = createSafeKeeper({ store: full }, 0)
  for (const count of [2, 3]) {
    const builder = makeBuilder()
    keeper.begin(builder)
    compute(builder, count)
  }
  const error = await keeper.rescue(new HeadstartError('INTERRUPTED', 'interrupted'))
  expect(error).toMatchObject({ code: 'INTERRUPTED', message: 'interrupted' })
  expect((error as HeadstartError).details[0]).toContain('the disk is full')
  expect(await parts()).toHaveLength(1)
})

it('a complete set with a flipped bit is found when its shards are read', async () => {
  const folder = await makeFolder()
  const store = createFileStore(folder)
  const contents = samples(20)
  const { featureSet } = await extractContents(store, createExtractor(), contents)
  const [shard] = featureSet.shards
  const path = `${folder}/${shard?.key}`
  const bytes = await readFile(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(path, bytes)
  const shallow = await extractContents(store, createExtractor(), contents)
  expect(shallow.computed).toBe(0)
  const notices: string[] = []
  const onNotice = (message: string) => notices.push(message)
  const deep = await extractContents(store, createExtractor(), contents, { deep: true, onNotice })
  expect(deep.computed).toBe(20)
  expect(notices.join()).toContain('damaged shard')
  expect(deep.featureSet).toEqual(featureSet)
})
