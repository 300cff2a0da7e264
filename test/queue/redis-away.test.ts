// The queue while Redis is away, and after it came back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBackend } from '../../src/queue/backend.js'
import { isQueueFault } from '../../src/queue/queue-fault.js'
import { type RedisServer, startRedis } from '../support/redis.js'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

describe('Redis that is away', () => {
  it('breaks no queue for good, not even one that is first asked for meanwhile', async () => {
    const backend = await openBackend(redis.url)
    await backend.queue('known').getJobCounts()
    await redis.kill9()
    for (const name of ['known', 'new']) {
      const error = await backend
        .queue(name)
        .getJobCounts()
        .catch((thrown: unknown) => thrown)
      expect(isQueueFault(error), String(error)).toBe(true)
    }
    await redis.restart()
    for (const name of ['known', 'new'])
      await expect
        .poll(() => backend.queue(name).getJobCountByTypes('waiting'), { timeout: 10_000 })
        .toBe(0)
    await backend.close()
  })
})
