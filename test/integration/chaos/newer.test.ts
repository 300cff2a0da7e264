// Jobs of a newer release: an older worker leaves them for newer ones, whole.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  extractionJobId,
  PAYLOAD_VERSION,
  queueNamesOf,
  shardJobId,
  shardQueueName,
} from '../../../src/queue/jobs.js'
import { startCluster } from '../../support/cluster.js'
import { until } from '../../support/folders.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { fileStoreUrl, makeInputs } from './outcome.js'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

describe('a job of a newer release', () => {
  it('is neither failed nor lost by an older worker, which does what it can beside it', async () => {
    const inputs = await makeInputs(3000)
    const cluster = await startCluster({ queue: redis.url, store: await fileStoreUrl() })
    const newer = [
      { queue: queueNamesOf('extraction')[0] ?? '', id: extractionJobId('a'.repeat(64)) },
      { queue: shardQueueName('wasm'), id: shardJobId('of a newer release') },
    ]
    const data = { version: PAYLOAD_VERSION + 1, meaning: ['not', 'known', { here: true }] }
    for (const { queue, id } of newer)
      await cluster.backend.queue(queue).add('of a newer release', data, { jobId: id })
    const worker = await cluster.start('extract')
    const { folder, extraction } = inputs
    const handle = await cluster.service.enqueueExtraction(extraction, { folder })
    expect(await handle.finished()).toMatchObject([{ samples: 3000, computed: 3000 }])
    for (const { queue, id } of newer) {
      await until(async () => worker.log().includes(`${id} was enqueued by a newer release`))
      await until(async () => (await cluster.backend.queue(queue).getJobState(id)) === 'delayed')
      const job = await cluster.backend.queue(queue).getJob(id)
      expect(job?.data).toEqual(data)
      expect(job?.attemptsMade).toBe(0)
      expect(job?.failedReason).toBeUndefined()
    }
    await cluster.close()
  })
})
