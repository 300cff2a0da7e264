// Collecting garbage of a real store: what goes, what stays, and that work goes on afterwards.
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { collectGarbage, DEFAULT_GRACE_MS } from '../../src/catalog/gc.js'
import { removeRun } from '../../src/catalog/remove.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { removeName, setName } from '../../src/store/names.js'
import type { Store } from '../../src/store/port.js'
import { writeTinyBase } from '../support/tiny-base.js'
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

/** Two days after now: everything that the test wrote is old. */
const later = (): number => Date.now() + 2 * DEFAULT_GRACE_MS

const collect = (store: Store, dryRun = false) =>
  collectGarbage({ store, dryRun, graceMs: DEFAULT_GRACE_MS, now: later() })

let trained: Installation
let result: ExperimentResult
beforeAll(async () => {
  trained = await install()
  result = await runTiny(trained)
})

describe('gc', () => {
  it('takes nothing from a store in use, and superseded shards once the set is gone', async () => {
    const place = await copyOf(trained)
    const { store, folder } = place
    const first = result
    await nameBase(place, 'tiny')
    await writeTinyImages(join(folder, 'images'), 2, 100)
    const second = await runTiny(place)
    const before = await keysOf(store)
    expect((await collect(store)).total).toEqual({ objects: 0, bytes: 0 })
    expect(await keysOf(store)).toEqual(before)

    await removeRun(store, first.best)
    await store.delete(`feature-sets/${first.featureSet.id}.json`)
    const report = await collect(store)
    expect(report.collected.shard.objects).toBe(1)
    expect(report.collected.dataset.objects).toBe(2)
    expect(report.collected.base.objects).toBe(0)

    const again = await runTiny(place, { seed: 9 })
    expect(again.featureSet).toMatchObject({ id: second.featureSet.id, computed: 0 })
    expect(again.parity.bitwise).toBe(true)
  })

  it('says what would go and deletes nothing in a dry run', async () => {
    const place = await install()
    const { store } = place
    await nameDataset(place, 'colours')
    await removeName(store, 'dataset', 'colours')
    const before = await keysOf(store)
    const planned = await collect(store, true)
    expect(planned.total.objects).toBe(2)
    expect(await keysOf(store)).toEqual(before)
    const { dryRun: _, ...done } = await collect(store)
    expect(planned).toMatchObject(done)
    expect(await keysOf(store)).toEqual([])
  })

  it('leaves alone what is younger than the grace period', async () => {
    const place = await install()
    const { store } = place
    await nameDataset(place, 'colours')
    await removeName(store, 'dataset', 'colours')
    const graceMs = DEFAULT_GRACE_MS
    const report = await collectGarbage({ store, dryRun: false, graceMs, now: Date.now() })
    expect([report.total.objects, report.young.objects]).toEqual([0, 2])
    expect(await keysOf(store)).toHaveLength(2)
  })

  it('takes bases, extractors, half-published runs and leftovers of doctor', async () => {
    const place = await copyOf(trained)
    const { store, folder } = place
    const { best, featureSet } = result
    await writeTinyBase(join(folder, 'other'), 1)
    const { baseId: unused } = await nameBase(place, 'other', 'other')
    await removeName(store, 'base', 'other')
    await store.putIfAbsent('doctor/1234/race', Buffer.from('killed'))
    expect((await collect(store)).collected).toMatchObject({
      // Record, two files, and the compiled form with its record.
      base: { objects: 5 },
      probe: { objects: 1 },
      run: { objects: 0 },
    })
    expect(await keysOf(store, `bases/${unused}`)).toEqual([])

    await store.delete(`runs/${best}/run.json`)
    await store.delete(`feature-sets/${featureSet.id}.json`)
    const { collected } = await collect(store)
    // Two files of the head, the report as a page and as data, predictions of two splits.
    expect(collected.run.objects).toBe(6)
    expect(collected.extractor.objects).toBe(1)
    expect(collected.base.objects).toBe(3)
    expect(await keysOf(store)).toEqual([])
  })

  it('keeps a run that is published meanwhile, and does not count it', async () => {
    const { store } = await install()
    const runId = 'd'.repeat(64)
    const head = `runs/${runId}/head/weights.bin`
    await store.putIfAbsent(head, Buffer.from('weights'))
    await store.putIfAbsent('doctor/1234/race', Buffer.from('killed'))
    // As if run.json came between the listing and the deleting.
    const published: Store = {
      ...store,
      head: (key) => store.head(key === `runs/${runId}/run.json` ? head : key),
    }
    const report = await collect(published)
    expect(report.collected.run).toEqual({ objects: 0, bytes: 0 })
    expect(report.total).toEqual({ objects: 1, bytes: 6 })
    expect(await keysOf(store)).toEqual([head])
  })

  it('reports names that lead to nothing and leaves them', async () => {
    const { store } = await install()
    const runId = 'c'.repeat(64)
    await setName(store, 'run', 'lost', { runId })
    const { danglingNames } = await collect(store)
    expect(danglingNames).toEqual([{ kind: 'run', name: 'lost', id: runId }])
    expect(await keysOf(store)).toEqual(['names/run/lost.json'])
  })

  it('deletes nothing while a feature set cannot be read', async () => {
    const { store, folder } = await copyOf(trained)
    const { featureSet } = result
    await store.putIfAbsent('doctor/1234/race', Buffer.from('killed'))
    const key = `feature-sets/${featureSet.id}.json`
    await appendFile(join(folder, '.headstart/store', key), ' ')
    const before = await keysOf(store)
    const error = await failureOf(collect(store))
    expect(error.code).toBe('STORE_CORRUPT')
    expect(error.details[0]).toContain(key)
    expect(await keysOf(store)).toEqual(before)
  })

  it('keeps all bases while an extractor that is needed does not say which is its own', async () => {
    const { store } = await copyOf(trained)
    const { best, featureSet } = result
    await removeRun(store, best)
    for (const key of await keysOf(store, 'extractors/')) await store.delete(key)
    const report = await collect(store)
    expect(report.unknownExtractors).toHaveLength(1)
    expect(report.collected.base.objects).toBe(0)
    expect(await keysOf(store, `feature-sets/${featureSet.id}`)).toHaveLength(1)
  })
})
