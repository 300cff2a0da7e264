// Pushed content and garbage collection: what a kept dataset or a push needs stays, the rest goes.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { collectGarbage, DEFAULT_GRACE_MS, type GarbageReport } from '../../src/catalog/gc.js'
import { removeDataset } from '../../src/catalog/remove.js'
import { pushingKey } from '../../src/dataset/pushed.js'
import { pushDataset } from '../../src/experiment/push.js'
import { removeName } from '../../src/store/names.js'
import type { Store } from '../../src/store/port.js'
import { writeTinyImages } from '../support/tiny-images.js'
import { failureOf, type Installation, install, keysOf, nameDataset, runTiny } from './support.js'

const collect = (store: Store, now = Date.now() + 2 * DEFAULT_GRACE_MS): Promise<GarbageReport> =>
  collectGarbage({ store, dryRun: false, graceMs: DEFAULT_GRACE_MS, now })

const push = ({ workspace, folder }: Installation, datasetId: string, images = 'images') =>
  pushDataset({ workspace, datasetId, from: [join(folder, images)] })

const blobsIn = (store: Store): Promise<string[]> => keysOf(store, 'blobs/')

describe('gc of pushed content', () => {
  it('keeps what a dataset with a name needs, and takes it when the dataset is removed', async () => {
    const place = await install()
    const { store } = place
    const datasetId = await nameDataset(place, 'colours')
    expect(await push(place, datasetId)).toMatchObject({ uploaded: 24 })
    expect((await collect(store)).total.objects).toBe(0)
    await removeDataset(store, 'colours')
    expect(await keysOf(store, 'datasets/')).toEqual([])
    expect((await blobsIn(store)).length).toBe(24)
    const young = await collect(store, Date.now())
    expect([young.total.objects, young.young.objects]).toEqual([0, 24])
    expect((await collect(store)).collected.blob.objects).toBe(24)
    expect(await keysOf(store)).toEqual([])
  })

  it('keeps what two datasets share while one of them stays', async () => {
    const place = await install()
    const { store, folder } = place
    const one = await nameDataset(place, 'one')
    await push(place, one)
    await writeTinyImages(join(folder, 'images'), 2, 100)
    const two = await nameDataset(place, 'two')
    expect(await push(place, two)).toMatchObject({ uploaded: 6, present: 24 })
    await removeName(store, 'dataset', 'two')
    const report = await collect(store)
    expect(report.collected).toMatchObject({ blob: { objects: 6 }, dataset: { objects: 3 } })
    expect((await blobsIn(store)).length).toBe(24)
    expect((await collect(store)).total.objects).toBe(0)
  })

  it('keeps what the dataset of a run needs, other splits included', async () => {
    const place = await install()
    const { store } = place
    const datasetId = await nameDataset(place, 'colours')
    await push(place, datasetId)
    const split = { train: 0.5, validation: 0.25, test: 0.25 }
    await runTiny(place, { dataset: { from: 'colours' }, split })
    await removeName(store, 'dataset', 'colours')
    const report = await collect(store)
    expect(report.collected).toMatchObject({ blob: { objects: 0 }, dataset: { objects: 3 } })
    expect((await blobsIn(store)).length).toBe(24)
  })

  it('keeps what a recent push has brought so far, and takes it once nobody goes on', async () => {
    const place = await install()
    const { store, folder, workspace } = place
    const datasetId = await nameDataset(place, 'colours')
    const controller = new AbortController()
    const interrupted = pushDataset({
      workspace,
      datasetId,
      from: [join(folder, 'images')],
      signal: controller.signal,
      events: { onPush: (done) => done === 3 && controller.abort() },
    })
    expect((await failureOf(interrupted)).code).toBe('INTERRUPTED')
    const kept = await blobsIn(store)
    expect(kept.length).toBeGreaterThan(0)
    // The blobs are old, the sign of the push is not.
    const renewed: Store = {
      ...store,
      async *list(prefix) {
        for await (const object of store.list(prefix))
          yield object.key === pushingKey(datasetId)
            ? { ...object, modifiedMs: Date.now() + 2 * DEFAULT_GRACE_MS }
            : object
      },
    }
    expect((await collect(renewed)).total.objects).toBe(0)
    expect((await collect(store)).collected.blob.objects).toBe(kept.length)
  })

  it('takes no blob when a push began after the listing', async () => {
    const place = await install()
    const { store } = place
    const datasetId = await nameDataset(place, 'colours')
    await push(place, datasetId)
    await store.delete(`datasets/${datasetId}/pushed.json`)
    let blobsWereListed = false
    // The push finds the old blobs while the collection has decided to take them.
    const racing: Store = {
      ...store,
      async *list(prefix) {
        if (prefix === 'datasets/' && blobsWereListed) {
          blobsWereListed = false
          yield* store.list(prefix)
          await push(place, datasetId)
          return
        }
        yield* store.list(prefix)
        if (prefix === 'runs/') blobsWereListed = true
      },
    }
    const report = await collect(racing)
    expect(report.collected.blob.objects).toBe(0)
    expect((await blobsIn(store)).length).toBe(24)
    expect((await collect(store)).total.objects).toBe(0)
  })

  it('deletes nothing while the index of a pushed dataset cannot be read', async () => {
    const place = await install()
    const { store } = place
    const datasetId = await nameDataset(place, 'colours')
    await push(place, datasetId)
    await store.delete(`datasets/${datasetId}/index.arrow`)
    expect((await failureOf(collect(store))).code).toBe('STORE_CORRUPT')
    expect((await blobsIn(store)).length).toBe(24)
  })
})
