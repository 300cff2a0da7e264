// FLUSHALL in the middle of a run: the queue is lost, the store is not.
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startCluster } from '../../support/cluster.js'
import { until } from '../../support/folders.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { fileStoreUrl, lookInto, makeInputs, samplesIn, undisturbed } from './outcome.js'
import { queueOf, share, untilPoint } from './points.js'
import { RUN_TIMEOUT_MS } from './run.js'

/** So many shards that most are missing when the queue is lost, on faster machines too. */
const ROWS = 100_000

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

/** @returns ids of the jobs of this queue that somebody worked on in that moment. */
const flushAll = async (active: string): Promise<readonly string[]> => {
  const client = new Redis(redis.url)
  const answers = await client.multi().lrange(active, 0, -1).flushall().exec()
  client.disconnect()
  return answers?.[0]?.[1] as string[]
}

describe('FLUSHALL in the middle of a run', { timeout: RUN_TIMEOUT_MS }, () => {
  it('is told to who waits; the same request again computes only what was not committed', async () => {
    const inputs = await makeInputs(ROWS)
    const expected = undisturbed(inputs, ROWS)
    const cluster = await startCluster({ queue: redis.url, store: await fileStoreUrl() })
    const { store } = cluster.workspace
    const workers = [await cluster.start('extract'), await cluster.start('train')]
    const { folder, experiment } = inputs
    const first = await cluster.service.enqueueTraining(experiment, { folder })
    const ended = Promise.allSettled([first.finished(), first.extraction.finished()])
    const point = share(0.3)
    await untilPoint(cluster, first.extraction, point)
    const held = await flushAll(queueOf(cluster, point).toKey('active'))
    expect(held).toHaveLength(1)
    for (const end of await ended) expect(end).toMatchObject({ reason: { code: 'JOB_LOST' } })
    // Whoever had a shard has let it go: it is mentioned because the queue does not know it.
    for (const id of held)
      await until(async () => workers.some((worker) => worker.log().includes(id)))

    const kept = (await samplesIn(store)).size
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThan(ROWS)
    const again = await cluster.service.enqueueTraining(experiment, { folder })
    expect(again.ids).toEqual(first.ids)
    expect(await again.extraction.finished()).toMatchObject([
      { samples: ROWS, computed: ROWS - kept, reused: kept },
    ])
    await again.finished()
    expect(await lookInto(store, ROWS)).toEqual(await expected)
    await cluster.close()
  })
})
