// Faults of the network between the workers and Redis in the middle of a run.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type FaultProxy, type NetworkFault, startProxy } from '../../support/fault-proxy.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type Inputs, type Left, makeInputs, undisturbed } from './outcome.js'
import { share } from './points.js'
import { finishRun, RUN_TIMEOUT_MS, startRun } from './run.js'

let redis: RedisServer
let inputs: Inputs
let expected: Promise<Left>
const proxies: FaultProxy[] = []
beforeAll(async () => {
  redis = await startRedis()
  inputs = await makeInputs()
  expected = undisturbed(inputs)
})
afterAll(async () => {
  for (const proxy of proxies) await proxy.close()
  await redis.stop()
})

interface Case {
  readonly name: string
  readonly fault: NetworkFault
  readonly lastsMs: number
}

const CASES: readonly Case[] = [
  { name: 'closed', fault: { kind: 'drop' }, lastsMs: 20_000 },
  { name: 'reset', fault: { kind: 'reset' }, lastsMs: 20_000 },
  { name: 'slow', fault: { kind: 'delay', delayMs: 700 }, lastsMs: 20_000 },
  { name: 'split', fault: { kind: 'block' }, lastsMs: 20_000 },
  { name: 'split past the lock', fault: { kind: 'block' }, lastsMs: 40_000 },
]

describe.concurrent('a network to Redis that is', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(CASES.map((one, index) => ({ ...one, index })))(
    '$name',
    async ({ fault, lastsMs, index }) => {
      const proxy = await startProxy({ target: { host: '127.0.0.1', port: redis.port } })
      proxies.push(proxy)
      const point = share(0.3)
      const run = await startRun(
        inputs,
        {
          queue: `${redis.url}/${index}`,
          workerQueue: `redis://127.0.0.1:${proxy.port}/${index}`,
          workers: 2,
        },
        point,
      )
      proxy.set(fault)
      await sleep(lastsMs)
      proxy.set(null)
      await finishRun(run, point, expected)
    },
  )
})
