// What is computed when something changes, on the real MobileNetV2 and real images. The tests go on
// from each other's store, as a user's days do.
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import { sha256 } from '../../src/identity/hash.js'
import { enginesUnderTest } from '../support/engines.js'
import { makeFolder } from '../support/folders.js'
import { copyImages, extractIn, prepareRealInputs, type RealInputs, runIn } from './experiments.js'
import { keysBelow, stateOf, storeIn } from './state.js'

const PER_CLASS = 6
const SAMPLES = 9 * PER_CLASS

describe.each(enginesUnderTest)('on %s', (engine) => {
  let real: RealInputs
  let cwd: string
  let images: string
  let firstSet: string
  let baseBefore: string

  const experiment = (change: Partial<ExperimentInput> = {}): ExperimentInput => ({
    base: { from: real.base, cut: 'flatten_1' },
    dataset: { from: images },
    heads: [{ kind: 'linear', epochs: 3 }],
    engine,
    ...change,
  })

  /** Stage 1 by itself. */
  const counts = async (change: Partial<ExperimentInput> = {}) => {
    const [featureSet] = await extractIn(cwd, experiment(change))
    const { samples = 0, computed, reused, id = '' } = featureSet ?? {}
    return { samples, computed, reused, id }
  }

  /** Hash over the bytes of everything that was registered of the base. */
  const hashOfBase = async (): Promise<string> => {
    const store = storeIn(cwd)
    const keys = await keysBelow(store, 'bases/')
    const parts = []
    for (const key of keys) parts.push(key, (await store.get(key)) ?? '')
    return sha256(...parts)
  }

  const firstClassOf = async (folder: string): Promise<string[]> =>
    (await readdir(folder)).sort().map((name) => join(folder, name))

  beforeAll(async () => {
    // Two more images a class than the tests start with.
    real = await prepareRealInputs(PER_CLASS + 2)
    cwd = await makeFolder()
    images = await copyImages(real.images, join(cwd, 'images'), (names) =>
      names.slice(0, PER_CLASS),
    )
    const { featureSet: first } = await runIn(cwd, experiment())
    expect(first).toMatchObject({ samples: SAMPLES, computed: SAMPLES, reused: 0 })
    firstSet = first.id
    baseBefore = await hashOfBase()
  })

  describe('nothing is computed', () => {
    it('for a second head', async () => {
      const heads: ExperimentInput['heads'] = [{ kind: 'mlp', width: 16, epochs: 2 }]
      const { featureSet, runs } = await runIn(cwd, experiment({ heads }))
      expect(featureSet).toMatchObject({ computed: 0, reused: SAMPLES, id: firstSet })
      expect(runs).toMatchObject([{ trained: true }])
    })

    it('for an identical request, which gives the run that exists', async () => {
      const before = await stateOf(cwd)
      const { runs, featureSet } = await runIn(cwd, experiment())
      expect(runs).toMatchObject([{ trained: false }])
      expect(featureSet.computed).toBe(0)
      expect(await stateOf(cwd)).toEqual(before)
    })

    it('after images were renamed', async () => {
      const [folder = ''] = await firstClassOf(images)
      for (const name of await readdir(folder))
        await rename(join(folder, name), join(folder, `renamed-${name}`))
      expect(await counts()).toMatchObject({ computed: 0, id: firstSet })
    })

    it('after the whole folder was moved', async () => {
      const moved = join(cwd, 'moved')
      await rename(images, moved)
      images = moved
      expect(await counts()).toMatchObject({ computed: 0, id: firstSet })
    })

    it('after images got other labels, which trains another run', async () => {
      const [one = '', other = ''] = await firstClassOf(images)
      const [name = ''] = await readdir(one)
      await rename(join(one, name), join(other, `relabelled-${name}`))
      const { featureSet, runs } = await runIn(cwd, experiment())
      expect(featureSet).toMatchObject({ computed: 0, id: firstSet })
      expect(runs).toMatchObject([{ trained: true }])
    })

    it('after a class was renamed', async () => {
      const [folder = ''] = await firstClassOf(images)
      await rename(folder, join(images, 'zoo'))
      expect(await counts()).toMatchObject({ computed: 0, id: firstSet })
    })

    it('for duplicates, which are one sample', async () => {
      const [folder = ''] = await firstClassOf(images)
      for (const name of await readdir(folder))
        await cp(join(folder, name), join(folder, `copy-of-${name}`))
      expect(await counts()).toMatchObject({ computed: 0, samples: SAMPLES })
    })
  })

  describe('only what is new is computed', () => {
    it('when one image is added: one', async () => {
      const [folder = ''] = await firstClassOf(images)
      const [source = ''] = (await firstClassOf(real.images)).slice(-1)
      const added = (await readdir(source)).sort().at(-1) ?? ''
      await cp(join(source, added), join(folder, 'added.png'))
      const result = await counts()
      expect(result).toMatchObject({ computed: 1, reused: SAMPLES, samples: SAMPLES + 1 })
      expect(result.id).not.toBe(firstSet)
    })

    it('when it is removed again: none', async () => {
      const [folder = ''] = await firstClassOf(images)
      await rm(join(folder, 'added.png'))
      expect(await counts()).toMatchObject({ computed: 0, id: firstSet })
    })

    it('for a dataset that overlaps: the images that the first did not have', async () => {
      // Five of the first six of each class, and the two that came after them.
      const other = await copyImages(real.images, join(cwd, 'other'), (names) => names.slice(1))
      const { computed, samples } = await counts({ dataset: { from: other } })
      // One of them was "added" above.
      expect({ computed, samples }).toEqual({ computed: 9 * 2 - 1, samples: 9 * (PER_CLASS + 1) })
    })
  })

  describe('everything is computed, under an id of its own', () => {
    const small = async (): Promise<string> => {
      const folder = join(cwd, 'small')
      await mkdir(folder, { recursive: true })
      return copyImages(real.images, folder, (names) => names.slice(0, 2))
    }

    it('for another cut', async () => {
      const dataset = { from: await small() }
      const before = await counts({ dataset })
      const base = { from: real.base, cut: 'block_2_add' }
      const after = await counts({ dataset, base })
      expect([before.computed, after.computed]).toEqual([0, 18])
      expect(after.id).not.toBe(before.id)
    })

    it('for another kernel', async () => {
      const dataset = { from: await small() }
      const before = await counts({ dataset })
      const after = await counts({ dataset, preprocess: { kernel: 'cubic' } })
      expect([before.computed, after.computed]).toEqual([0, 18])
      expect(after.id).not.toBe(before.id)
    })
  })

  describe('after everything', () => {
    it('the same dataset in another store gives byte-identical shards', async () => {
      const elsewhere = await makeFolder()
      const dataset = { from: join(cwd, 'small') }
      await extractIn(elsewhere, experiment({ dataset }))
      const [fresh] = (await stateOf(elsewhere)).featureSets
      const { featureSets } = await stateOf(cwd)
      const grown = featureSets.find(({ set }) => set.featureSetId === fresh?.set.featureSetId)
      expect(fresh?.shards.length).toBeGreaterThan(0)
      expect(grown).toEqual(fresh)
    })

    it('the base has the bytes that it had before', async () => {
      expect(await hashOfBase()).toBe(baseBefore)
    })
  })
})
