// Cancelling an extraction while a pass of its coordinator is under way.
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
      .poll(async () => (await queue.getJob(own))?.data.cancelled, { timeout: 20_000 })
      .toBe(true)
    expect((await queue.getJob(foreign))?.data.cancelled).toBeUndefined()
    await consumer.close()
    await close()
  })
})
