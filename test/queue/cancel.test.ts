// Cancelling a job while a worker has it, and while none has.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import { consume } from '../../src/queue/consume.js'
import { createCoordinator } from '../../src/queue/coordinate.js'
import { addJob } from '../../src/queue/ensure-job.js'
import {
  extractionJobId,
  PAYLOAD_VERSION,
  queueNamesOf,
  type ShardPayload,
  shardJobId,
  shardQueueName,
} from '../../src/queue/jobs.js'
import { fileStoreUrl, makeInputs } from '../integration/chaos/outcome.js'
import { startCluster } from '../support/cluster.js'
import { until } from '../support/folders.js'
import { type RedisServer, startRedis } from '../support/redis.js'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

describe('a cancelled extraction', () => {
  it('takes along the shards that were enqueued while it was cancelled, and no others', async () => {
    const { backend, workspace, service, close } = await startCluster({
      queue: redis.url,
      store: await fileStoreUrl(),
    })
    const { folder, extraction } = await makeInputs(100)
    const handle = await service.enqueueExtraction(extraction, { folder })
    await handle.cancel()
    const [id = ''] = handle.ids
    const queue = backend.queue(shardQueueName('wasm'))
    const add = async (asker: string): Promise<string> => {
      const storeKey = `features/of ${asker}`
      const payload: ShardPayload = {
        version: PAYLOAD_VERSION,
        extraction: asker,
        extractorIds: [sha256('an extractor')],
        datasetId: sha256('a dataset'),
        content: folder,
        storeKey,
        rows: 1,
        overlapping: [],
      }
      await addJob(queue, 'shard', shardJobId(storeKey), payload)
      return shardJobId(storeKey)
    }
    const own = await add(id)
    const foreign = await add(extractionJobId(sha256('of somebody else')))

    const onNotice = () => undefined
    const coordinator = createCoordinator({ backend, workspace, onNotice })
    const consumer = consume(backend, queueNamesOf('extraction')[0] ?? '', coordinator, onNotice)
    await expect(handle.finished()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    await expect
      .poll(async () => (await queue.getJob(own))?.data.cancelled, { timeout: 60_000 })
      .toBe(true)
    expect((await queue.getJob(foreign))?.data.cancelled).toBeUndefined()
    await consumer.close()
    await close()
  })
})

describe('a cancelled job that a worker has in hand', () => {
  it('is cancelled when it was taken up only to end, and active until it ends otherwise', async () => {
    const { backend, service, close } = await startCluster({
      queue: `${redis.url}/1`,
      store: await fileStoreUrl(),
    })
    const { folder, extraction } = await makeInputs(100)
    const [early = ''] = (await service.enqueueExtraction(extraction, { folder })).ids
    expect(await service.cancelJob(early)).toMatchObject({ state: 'cancelled' })
    const letGo: (() => void)[] = []
    const held = () => new Promise<void>((resolve) => letGo.push(resolve))
    const options = { concurrency: 2, lockDuration: 30_000, stalledInterval: 30_000 }
    const worker = backend.worker(queueNamesOf('extraction')[0] ?? '', held, options)
    await until(async () => letGo.length === 1)
    expect(await service.getJob(early)).toMatchObject({ state: 'cancelled', finishedAt: null })
    await expect(service.removeJob(early)).rejects.toMatchObject({ code: 'IN_USE' })

    const other = { ...extraction, engine: 'onnxruntime' as const }
    const [late = ''] = (await service.enqueueExtraction(other, { folder })).ids
    await until(async () => letGo.length === 2)
    // In another millisecond than it was taken up.
    const since = Date.now()
    await until(async () => Date.now() > since)
    expect(await service.cancelJob(late)).toMatchObject({ state: 'active' })
    for (const end of letGo) end()
    await until(async () => (await service.getJob(late))?.state === 'completed')
    await worker.close()
    await close()
  })
})
