// An engine process that does not answer for a minute costs its worker no lock.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signalTo, startCluster } from '../../support/cluster.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { fileStoreUrl, lookInto, makeInputs, ROWS, undisturbed, withoutHeads } from './outcome.js'
import { activeIn, queueOf, share, untilActive, untilChild } from './points.js'
import { RUN_TIMEOUT_MS } from './run.js'

/** Twice the lock's duration. */
const BLOCKED_MS = 60_000

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

describe('an engine process that is blocked', { timeout: RUN_TIMEOUT_MS }, () => {
  it('for 60 s loses no lock: its worker keeps the job and ends it', async () => {
    const inputs = await makeInputs()
    const expected = undisturbed(inputs)
    const cluster = await startCluster({ queue: `${redis.url}/0`, store: await fileStoreUrl() })
    const worker = await cluster.start('extract')
    const { folder, extraction } = inputs
    const handle = await cluster.service.enqueueExtraction(extraction, { folder })
    const shards = queueOf(cluster, share(0))
    await untilChild([worker])
    const held = await untilActive(shards)
    const [child = 0] = worker.children()
    signalTo(child, 'SIGSTOP')
    // Somebody who would take the job, and who looks for jobs whose worker died.
    const other = await cluster.start('extract')
    await sleep(BLOCKED_MS)
    expect([...(await activeIn(shards))]).toEqual([...held])
    expect(worker.children()).toEqual([child])
    signalTo(child, 'SIGCONT')

    await handle.finished()
    for (const [id, since] of held)
      expect(await shards.getJob(id)).toMatchObject({
        processedOn: since,
        attemptsMade: 1,
        stalledCounter: 0,
      })
    for (const log of [worker.log(), other.log()])
      expect(log).not.toMatch(/taken up again|lock|failed/)
    expect(await lookInto(cluster.workspace.store, ROWS)).toEqual(withoutHeads(await expected))
    await cluster.close()
  })
})
