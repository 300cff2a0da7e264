// Damaged files in the store: found by their hash, computed again, said, with the same result.
import { cp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import { findRun } from '../../src/model/find-run.js'
import { openModel } from '../../src/model/open-model.js'
import { failureOf } from '../dataset/support.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'
import { runIn } from './experiments.js'
import { readEverything, stateOf, storeIn } from './state.js'

const SAMPLES = 24

let cwd: string
let before: Awaited<ReturnType<typeof stateOf>>

const experiment = (epochs: number): ExperimentInput => ({
  base: { from: 'base', cut: 'pool' },
  dataset: { from: 'images' },
  heads: [{ kind: 'linear', epochs }],
  engine: 'wasm',
})

let sound: string

beforeAll(async () => {
  sound = await makeFolder()
  await writeTinyBase(join(sound, 'base'))
  await writeTinyImages(join(sound, 'images'), SAMPLES / 3)
  await runIn(sound, experiment(2))
  before = await stateOf(sound)
})

beforeEach(async () => {
  cwd = await makeFolder()
  await cp(sound, cwd, { recursive: true })
})

const onlyFile = async (folder: string, ending: string): Promise<string> => {
  const below = join(cwd, '.headstart/store', folder)
  const names = (await filesBelow(below)).filter((name) => name.endsWith(ending))
  expect(names).toHaveLength(1)
  return join(below, names[0] ?? '')
}

/** Changes one bit of a file, in place. */
const flipBit = async (path: string, at: number): Promise<void> => {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const byte = Buffer.alloc(1)
    const position = Math.floor(size * at)
    await file.read(byte, 0, 1, position)
    byte[0] = (byte[0] ?? 0) ^ 0b100
    await file.write(byte, 0, 1, position)
  } finally {
    await file.close()
  }
}

describe('a shard', () => {
  const damages: [string, (path: string) => Promise<void>][] = [
    ['that was truncated', (path) => truncate(path, 700)],
    ['that was emptied', (path) => truncate(path, 0)],
    ['with one bit flipped in its values', (path) => flipBit(path, 0.6)],
    ['with one bit flipped in its metadata', (path) => flipBit(path, 0.1)],
    ['that has no recorded hash', (path) => rm(`${path}.sha256`)],
    ['whose recorded hash is garbage', (path) => writeFile(`${path}.sha256`, 'garbage\n')],
    [
      'that has the bytes of something else, with a hash that fits them',
      async (path) => {
        const other = await onlyFile('extractors', '.json')
        await writeFile(path, await readFile(other))
        const hash = (await readFile(`${other}.sha256`, 'utf8')).slice(0, 64)
        await writeFile(`${path}.sha256`, `${hash}  ${path.split('/').at(-1)}\n`)
      },
    ],
  ]

  it.each(damages)('%s is found, computed again and said', async (_, damage) => {
    await damage(await onlyFile('features', '.arrow'))
    const { featureSet, notices, runs } = await runIn(cwd, experiment(3))
    expect(featureSet).toMatchObject({ computed: SAMPLES, reused: 0 })
    expect(notices.join('\n')).toMatch(/damaged shard found, computing it again: feat/)
    expect(runs).toMatchObject([{ trained: true }])
    expect((await stateOf(cwd)).featureSets).toEqual(before.featureSets)
    await readEverything(cwd)
  })

  it('that was removed is computed again', async () => {
    const path = await onlyFile('features', '.arrow')
    await rm(path)
    await rm(`${path}.sha256`)
    const { featureSet } = await runIn(cwd, experiment(3))
    expect(featureSet.computed).toBe(SAMPLES)
    expect((await stateOf(cwd)).featureSets).toEqual(before.featureSets)
    const next = await runIn(cwd, experiment(4))
    expect(next.featureSet.computed).toBe(0)
    expect(next.notices.join('\n')).not.toContain('damaged')
  })

  it('that is damaged gives no rows to the shard of a larger dataset', async () => {
    await flipBit(await onlyFile('features', '.arrow'), 0.6)
    await writeTinyImages(join(cwd, 'images'), 1, 100)
    const { featureSet, parity } = await runIn(cwd, experiment(2))
    expect(featureSet).toMatchObject({ samples: SAMPLES + 3, computed: SAMPLES + 3 })
    expect(parity.bitwise).toBe(true)
  })
})

describe('a feature set', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['with one bit flipped', (path) => flipBit(path, 0.5)],
    ['that was truncated', (path) => truncate(path, 40)],
    ['that has no recorded hash', (path) => rm(`${path}.sha256`)],
  ])('%s is certified again from its shards, without computing, and said', async (_, damage) => {
    await damage(await onlyFile('feature-sets', '.json'))
    const { featureSet, notices } = await runIn(cwd, experiment(3))
    expect(featureSet).toMatchObject({ computed: 0, reused: SAMPLES })
    expect(notices.join('\n')).toContain('damaged feature set found by its hash')
    expect((await stateOf(cwd)).featureSets).toEqual(before.featureSets)
  })
})

describe('what cannot be made again', () => {
  it('is refused by its name: a head', async () => {
    const weights = await onlyFile('runs', '.bin')
    await flipBit(weights, 0.5)
    const store = storeIn(cwd)
    const run = await findRun(store, before.heads[0]?.id ?? '')
    const failure = await failureOf(openModel(store, run))
    expect(failure.code).toBe('STORE_CORRUPT')
    expect(failure.message).toContain('runs/')
  })
})
