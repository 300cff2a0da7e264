// What a store holds, listed, found by reference, and shown.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findReference } from '../../src/catalog/find.js'
import { listBases, listDatasets, listFeatureSets, listRuns } from '../../src/catalog/list.js'
import { showBase, showDataset, showFeatureSet, showRun } from '../../src/catalog/show.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { shortId } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import { setName } from '../../src/store/names.js'
import type { Store } from '../../src/store/port.js'
import { makeFolder } from '../support/folders.js'
import { TINY_CUTS, TINY_FILTERS, TINY_SIDE } from '../support/tiny-base.js'
import { failureOf, type Installation, install, nameBase, nameDataset, runTiny } from './support.js'

const emptyStore = async (): Promise<Store> => createFileStore(await makeFolder())

describe('a store after two experiments', () => {
  let place: Installation
  let store: Store
  let first: ExperimentResult
  let second: ExperimentResult
  let datasetId: string
  beforeAll(async () => {
    place = await install()
    store = place.store
    await nameBase(place, 'tiny')
    datasetId = await nameDataset(place, 'colours')
    first = await runTiny(place, { name: 'older' })
    second = await runTiny(place, { name: 'newer', seed: 2, views: 2 })
  })

  it('lists its runs newest first, with names, scores and sizes', async () => {
    const { items, damaged } = await listRuns(store)
    expect(damaged).toEqual([])
    expect(items.map(({ id, names }) => [id, names])).toEqual([
      [second.best, ['newer']],
      [first.best, ['older']],
    ])
    const [newest] = items
    const measured = second.runs[0]?.metrics.validation
    expect(measured?.kind).toBe('single')
    expect(newest?.metrics.validation).toEqual({
      kind: 'single',
      samples: measured?.samples,
      loss: measured?.loss,
      score: measured?.kind === 'single' ? measured.accuracy : undefined,
    })
    expect(newest).toMatchObject({ views: 2, seed: 2, base: { cut: 'pool' } })
    expect(newest?.bytes).toBeGreaterThan(0)
  })

  it('lists its datasets with classes and splits', async () => {
    const { items } = await listDatasets(store)
    expect(items).toHaveLength(1)
    const [dataset] = items
    expect(dataset).toMatchObject({
      id: datasetId,
      names: ['colours'],
      content: { kind: 'image' },
      target: 'single',
      classes: 3,
      samples: 24,
    })
    const { train, validation, test } = dataset?.splits ?? { train: 0, validation: 0, test: 0 }
    expect(train + validation + test).toBe(24)
  })

  it('lists its bases with what can be cut', async () => {
    const { items } = await listBases(store)
    expect(items).toMatchObject([
      {
        names: ['tiny'],
        format: 'layers-model',
        parameters: 128,
        inputShape: [TINY_SIDE, TINY_SIDE, 3],
        cuts: TINY_CUTS.length,
      },
    ])
  })

  it('lists its feature sets with the extractor of each view', async () => {
    const { items } = await listFeatureSets(store)
    expect(items).toHaveLength(2)
    expect(items.map(({ extractor }) => extractor?.view).sort()).toEqual([0, 1])
    for (const item of items)
      expect(item).toMatchObject({
        extractor: { cut: 'pool', engine: 'wasm' },
        featureShape: [TINY_FILTERS],
        rows: 24,
        quarantined: 0,
      })
    expect(items.map(({ id }) => id)).toContain(first.featureSet.id)
  })

  it('shows one object by name, by id and by the short id that lists print', async () => {
    for (const reference of ['older', first.best, shortId(first.best)]) {
      const { run, names } = await showRun(store, reference)
      expect([run.runId, names]).toEqual([first.best, ['older']])
    }
    const { dataset, names, runs, featureSets } = await showDataset(store, shortId(datasetId))
    expect(dataset.samples).toBe(24)
    expect(names).toEqual([{ name: 'colours', from: expect.stringMatching(/images$/) }])
    expect([...runs].sort()).toEqual([first.best, second.best].sort())
    expect(featureSets).toHaveLength(2)
    const { base, runs: users, featureSets: computed } = await showBase(store, 'tiny')
    expect(base.cuts.map(({ path }) => path)).toEqual([...TINY_CUTS])
    expect([users.length, computed.length]).toEqual([2, 2])
    const shown = await showFeatureSet(store, first.featureSet.id.slice(0, 6))
    expect(shown.extractor?.base.id).toBe(base.baseId)
    expect([...shown.runs].sort()).toEqual([first.best, second.best].sort())
  })

  it('says which names are near, and asks for enough of an id', async () => {
    const wrong = await failureOf(showDataset(store, 'colour'))
    expect([wrong.code, wrong.details]).toEqual(['NOT_FOUND', ['near: colours']])
    expect((await failureOf(showBase(store, 'tinny'))).details).toEqual(['near: tiny'])
    const short = await failureOf(showFeatureSet(store, first.featureSet.id.slice(0, 5)))
    expect(short.code).toBe('NOT_FOUND')
    expect(short.message).toContain('6 or more characters')
  })
})

describe('references', () => {
  let store: Store
  const idOf = (start: string): string => start.padEnd(64, '0')
  beforeAll(async () => {
    store = await emptyStore()
    for (const id of [idOf('abcdef1'), idOf('abcdef2')])
      await store.putIfAbsent(`bases/${id}/base.json`, Buffer.from(id))
    await store.putIfAbsent(`bases/${idOf('fedcba')}/weights`, Buffer.from('not published'))
  })
  afterAll(() => store.close())

  it('lists the candidates when several ids begin so', async () => {
    const error = await failureOf(findReference(store, 'base', 'abcdef'))
    expect(error.code).toBe('REQUEST_INVALID')
    expect(error.details).toEqual([idOf('abcdef1'), idOf('abcdef2')])
    expect(await findReference(store, 'base', 'ABCDEF2')).toMatchObject({ id: idOf('abcdef2') })
  })

  it('do not find what was never published', async () => {
    expect((await failureOf(findReference(store, 'base', 'fedcba'))).code).toBe('NOT_FOUND')
  })

  it('take a name before the beginning of an id', async () => {
    await setName(store, 'base', 'abcdef1', { baseId: idOf('abcdef2') })
    expect((await findReference(store, 'base', 'abcdef1')).id).toBe(idOf('abcdef2'))
  })

  it('say that a name leads to nothing, and how to free it', async () => {
    await setName(store, 'base', 'gone', { baseId: idOf('123456') })
    const error = await failureOf(showBase(store, 'gone'))
    expect(error.code).toBe('NOT_FOUND')
    expect(error.message).toContain('headstart bases rm gone')
  })
})

describe('damage', () => {
  it('is named beside what can be read, and hides none of it', async () => {
    const place = await install()
    const { store } = place
    const { baseId } = await nameBase(place, 'tiny')
    const [broken, stray] = ['d'.repeat(64), 'e'.repeat(64)]
    await store.putIfAbsent(`bases/${broken}/base.json`, Buffer.from('{"version":1}'))
    // The whole document of a base under the id of another one.
    const content = await store.get(`bases/${baseId}/base.json`)
    await store.putIfAbsent(`bases/${stray}/base.json`, content ?? new Uint8Array(0))
    await store.putIfAbsent('names/base/odd.json', Buffer.from('{"runId":7}'))
    const { items, damaged } = await listBases(store)
    expect(items.map(({ names }) => names)).toEqual([['tiny']])
    expect(damaged.map(({ key }) => key)).toEqual([
      `bases/${broken}/base.json`,
      `bases/${stray}/base.json`,
      'names/base/odd.json',
    ])
    expect((await failureOf(showBase(store, broken))).code).toBe('STORE_CORRUPT')
    expect((await failureOf(showBase(store, 'odd'))).code).toBe('STORE_CORRUPT')
  })
})
