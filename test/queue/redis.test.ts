// The service on a real Redis server; each test has a database of its own.
import { afterAll, beforeAll } from 'vitest'
import { describeQueue } from '../contract/queue.js'
import { type RedisServer, startRedis } from '../support/redis.js'

let redis: RedisServer
let database = 0
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

describeQueue('Redis', async () => {
  database += 1
  return { queue: `${redis.url}/${database}` }
})
