// Cancelling from another process while a shard is being computed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JobView } from '../../../src/queue/types.js'
import { runJson } from '../../support/cli.js'
import { type Cluster, signalTo, startCluster, type WorkerProcess } from '../../support/cluster.js'
import { makeFolder, until } from '../../support/folders.js'
import { type MotoServer, startMoto } from '../../support/moto.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { keysBelow } from '../state.js'
import { IMAGES, type ImagesInS3, putImages } from './images-in-s3.js'
import { fileStoreUrl, lookInto, samplesIn } from './outcome.js'
import { activeIn, queueOf, share, untilActive } from './points.js'
import { RUN_TIMEOUT_MS } from './run.js'

/** A job looks every second whether it was cancelled; its process has four more to obey. */
const STOPPED_MS = 5000
/** Of the processes of this test, on a machine that does other things too; less than a lock lasts. */
const ALLOWANCE_MS = 15_000

let redis: RedisServer
let moto: MotoServer
let images: ImagesInS3
beforeAll(async () => {
  redis = await startRedis()
  moto = await startMoto()
  images = await putImages(moto)
  // Reading takes its time, so that a shard takes some seconds.
  images.proxy.add({ fault: { kind: 'delay', delayMs: 400 }, times: Number.POSITIVE_INFINITY })
})
afterAll(async () => {
  await images.proxy.close()
  await moto.stop()
  await redis.stop()
})

const startExtraction = async (database: number) => {
  const cluster = await startCluster({
    queue: `${redis.url}/${database}`,
    store: await fileStoreUrl(),
    s3Endpoint: moto.endpoint,
    workerS3Endpoint: images.proxy.endpoint,
  })
  const worker = await cluster.start('extract')
  const { extraction, folder } = images
  const enqueue = () => cluster.service.enqueueExtraction(extraction, { folder })
  return { cluster, worker, enqueue, handle: await enqueue() }
}

/** By the command line, in a process of its own. @returns milliseconds until nothing was worked on. */
const cancel = async (cluster: Cluster, id: string): Promise<number> => {
  const options = { cwd: await makeFolder(), env: cluster.env }
  const { jobs } = await runJson<{ jobs: JobView[] }>(['jobs', 'cancel', id], options)
  const started = performance.now()
  expect(jobs).toMatchObject([{ id }])
  const isOver = async (): Promise<boolean> =>
    (await activeIn(queueOf(cluster, share(0)))).size === 0 &&
    (await cluster.service.getJob(id))?.finishedAt !== null
  await until(isOver)
  return performance.now() - started
}

/** What is there is whole, and the same request computes the rest. */
const expectToGoOn = async (
  { workspace: { store } }: Cluster,
  enqueue: Awaited<ReturnType<typeof startExtraction>>['enqueue'],
  least: number,
): Promise<void> => {
  expect(await keysBelow(store, 'feature-sets/')).toEqual([])
  const kept = (await samplesIn(store)).size
  expect(kept).toBeGreaterThanOrEqual(least)
  expect(kept).toBeLessThan(IMAGES)
  expect(await (await enqueue()).finished()).toMatchObject([
    { samples: IMAGES, computed: IMAGES - kept, reused: kept },
  ])
  await lookInto(store, IMAGES)
}

const untilSomeRows = async (cluster: Cluster, worker: WorkerProcess): Promise<void> => {
  const queue = queueOf(cluster, share(0))
  await untilActive(queue)
  await until(async () => {
    const jobs = await queue.getJobs(['active'])
    return jobs.some(({ progress }) => Number(Object(progress).computed ?? 0) > 0)
  })
  expect(worker.children()).toHaveLength(1)
}

describe('cancelling an extraction from another process', { timeout: RUN_TIMEOUT_MS }, () => {
  it('stops its shards within a batch, keeps their rows, and the rest is computed later', async () => {
    const { cluster, worker, handle, enqueue } = await startExtraction(0)
    const [id = ''] = handle.ids
    await untilSomeRows(cluster, worker)
    const tookMs = await cancel(cluster, id)
    expect(tookMs).toBeLessThan(STOPPED_MS + ALLOWANCE_MS)
    await expect(handle.finished()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    expect(await cluster.service.getJob(id)).toMatchObject({ state: 'cancelled' })
    await expectToGoOn(cluster, enqueue, 1)
    await cluster.close()
  })

  it('kills an engine process that does not obey, and nothing half-written is ever read', async () => {
    const { cluster, worker, handle, enqueue } = await startExtraction(1)
    const [id = ''] = handle.ids
    await untilSomeRows(cluster, worker)
    const [child = 0] = worker.children()
    signalTo(child, 'SIGSTOP')
    const tookMs = await cancel(cluster, id)
    expect(tookMs).toBeLessThan(STOPPED_MS + ALLOWANCE_MS)
    expect(worker.children()).not.toContain(child)
    await expect(handle.finished()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    await expectToGoOn(cluster, enqueue, 0)
    await cluster.close()
  })
})
