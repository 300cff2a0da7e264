// The queue while Redis is away, and after it came back.
import { setTimeout as sleep } from 'node:timers/promises'
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
  it('breaks no queue for good, whenever it was first asked for', async () => {
    const backend = await openBackend(redis.url)
    const names = ['before']
    await backend.queue('before').getJobCounts()
    const killed = redis.kill9()
    const asked: Promise<unknown>[] = []
    const ask = (name: string): void => {
      const answer = backend.queue(name).getJobCounts()
      asked.push(answer.catch((error: unknown) => expect(isQueueFault(error)).toBe(true)))
    }
    for (let i = 0; i < 20; i += 1) {
      names.push(`meanwhile-${i}`)
      names.forEach(ask)
      await sleep(50)
    }
    await killed
    await redis.restart()
    await Promise.all(asked)
    for (const name of names)
      await expect
        .poll(() => backend.queue(name).getJobCountByTypes('waiting'), { timeout: 60_000 })
        .toBe(0)
    await backend.close()
  })
})
