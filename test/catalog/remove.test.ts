// Removing one object: what publishes it first, never what something else needs, unless forced.
import { beforeAll, describe, expect, it } from 'vitest'
import {
  planShardRemoval,
  removeBase,
  removeDataset,
  removeFeatureSet,
  removeRun,
} from '../../src/catalog/remove.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import { shortId } from '../../src/identity/hash.js'
import { listNames, setName } from '../../src/store/names.js'
import type { Store } from '../../src/store/port.js'
import { writeTinyImages } from '../support/tiny-images.js'
import {
  copyOf,
  failureOf,
  type Installation,
  install,
  keysOf,
  nameBase,
  nameDataset,
  runTiny,
} from './support.js'

/** The store, noting the order of deletions; `failAfter` of them, the rest fail. */
const watching = (store: Store, failAfter = Number.POSITIVE_INFINITY) => {
  const deleted: string[] = []
  const watched: Store = {
    ...store,
    delete: async (key) => {
      if (deleted.length >= failAfter) throw new Error('the power went out')
      deleted.push(key)
      await store.delete(key)
    },
  }
  return { watched, deleted }
}

let trained: Installation
let result: ExperimentResult
beforeAll(async () => {
  trained = await install()
  result = await runTiny(trained, { name: 'first' })
})

describe('removing a run', () => {
  it('takes run.json first, then its files and its names, and nothing else', async () => {
    const place = await copyOf(trained)
    const { store } = place
    const gone = await runTiny(place, { name: 'gone', seed: 2 })
    await setName(store, 'run', 'alias', { runId: gone.best })
    const before = await keysOf(store)
    const { watched, deleted } = watching(store)
    const removal = await removeRun(watched, shortId(gone.best))
    expect(deleted[0]).toBe(`runs/${gone.best}/run.json`)
    expect(removal).toMatchObject({ kind: 'run', id: gone.best, names: ['alias', 'gone'] })
    expect(await keysOf(store)).toEqual(before.filter((key) => !deleted.includes(key)))
    expect(await keysOf(store, `runs/${gone.best}`)).toEqual([])
    expect((await keysOf(store, `runs/${result.best}`)).length).toBe(removal.objects)
    expect(await listNames(store, 'run')).toEqual(['first'])
  })

  it('can be finished after it was cut short', async () => {
    const { store } = await copyOf(trained)
    const { best } = result
    await expect(removeRun(watching(store, 1).watched, 'first')).rejects.toThrow('power')
    expect(await keysOf(store, `runs/${best}/head`)).not.toEqual([])
    const removal = await removeRun(store, 'first')
    expect(removal.names).toEqual(['first'])
    expect(await keysOf(store, `runs/${best}`)).toEqual([])
  })
})

describe('removing what a run needs', () => {
  it('is refused, naming the run, until the run is gone', async () => {
    const place = await copyOf(trained)
    const { store } = place
    const { best, featureSet } = result
    const { baseId } = await nameBase(place, 'tiny')
    const datasetId = await nameDataset(place, 'colours')
    const before = await keysOf(store)
    for (const remove of [
      () => removeDataset(store, 'colours'),
      () => removeBase(store, 'tiny'),
      () => removeFeatureSet(store, featureSet.id),
    ]) {
      const error = await failureOf(remove())
      expect(error.code).toBe('IN_USE')
      expect(error.message).toContain('--force')
      expect(error.details[0]).toContain(`the run ${shortId(best)}`)
    }
    expect(await keysOf(store)).toEqual(before)

    await removeRun(store, best)
    expect(await removeDataset(store, 'colours')).toMatchObject({
      id: datasetId,
      names: ['colours'],
    })
    expect((await failureOf(removeBase(store, 'tiny'))).details[0]).toContain('feature set')
    await removeFeatureSet(store, featureSet.id)
    expect((await removeBase(store, 'tiny')).id).toBe(baseId)
    expect(await keysOf(store)).toEqual(await keysOf(store, 'extractors/'))
  })

  it('is done when it is forced', async () => {
    const place = await copyOf(trained)
    const { store } = place
    const { featureSet } = result
    await nameBase(place, 'tiny')
    await removeFeatureSet(store, shortId(featureSet.id), { force: true })
    await removeBase(store, 'tiny', { force: true })
    expect(await keysOf(store, 'bases/')).toEqual([])
    expect(await keysOf(store, 'features/')).toEqual([])
    expect(await listNames(store, 'run')).toEqual(['first'])
  })

  it('is refused while a document that may need it cannot be read', async () => {
    const place = await copyOf(trained)
    const { store } = place
    await nameBase(place, 'tiny')
    await removeRun(store, 'first')
    await removeFeatureSet(store, result.featureSet.id)
    const key = `runs/${'a'.repeat(64)}/run.json`
    await store.putIfAbsent(key, Buffer.from('{}'))
    const error = await failureOf(removeBase(store, 'tiny'))
    expect(error.details).toEqual([expect.stringContaining(key)])
  })
})

describe('removing a feature set', () => {
  it('takes the certificate first and keeps the shards of another set', async () => {
    const place = await copyOf(trained)
    const { store, folder } = place
    const first = result
    await writeTinyImages(`${folder}/images`, 2, 100)
    const second = await runTiny(place)
    await removeRun(store, first.best)
    const shards = await keysOf(store, 'features/')
    const { watched, deleted } = watching(store)
    const removal = await removeFeatureSet(watched, first.featureSet.id)
    expect(deleted[0]).toBe(`feature-sets/${first.featureSet.id}.json`)
    expect(removal.objects).toBe(deleted.length)
    const again = await runTiny(place, { seed: 3 })
    expect([again.featureSet.id, again.featureSet.computed]).toEqual([second.featureSet.id, 0])
    expect((await keysOf(store, 'features/')).length).toBe(shards.length - deleted.length + 1)
  })

  it('plans to remove only shards that no other set names', () => {
    const set = (id: string, keys: string[]): FeatureSet => ({
      version: 1,
      featureSetId: id,
      extractorId: 'x',
      contentId: id,
      featureShape: [1],
      rows: keys.length,
      shards: keys.map((key) => ({ key, rows: 1, bytes: 1, sha256: key })),
      quarantine: [],
    })
    const one = set('1', ['a', 'b', 'c'])
    const left = planShardRemoval(one, [one, set('2', ['b']), set('3', ['d'])])
    expect(left.map(({ key }) => key)).toEqual(['a', 'c'])
  })

  it('works on a certificate that cannot be read, by its id', async () => {
    const { store } = await install()
    const id = 'b'.repeat(64)
    await store.putIfAbsent(`feature-sets/${id}.json`, Buffer.from('{}'))
    await removeFeatureSet(store, id)
    expect(await keysOf(store)).toEqual([])
  })
})
