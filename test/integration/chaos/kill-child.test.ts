// kill -9 of the engine's process at ten points of a run; its worker starts another.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { signalTo } from '../../support/cluster.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type Inputs, type Left, makeInputs, undisturbed } from './outcome.js'
import { POINTS, queueOf, untilChild, untilNext } from './points.js'
import { finishRun, RECOVERY_MS, RUN_TIMEOUT_MS, startRun } from './run.js'

let redis: RedisServer
let inputs: Inputs
let expected: Promise<Left>
beforeAll(async () => {
  redis = await startRedis()
  inputs = await makeInputs()
  expected = undisturbed(inputs)
})
afterAll(() => redis.stop())

const CASES = POINTS.map((point, index) => ({ ...point, index }))

describe.concurrent('kill -9 of the engine process', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(CASES)('$name', async (point, { annotate, expect }) => {
    const run = await startRun(inputs, { queue: `${redis.url}/${point.index}`, workers: 1 }, point)
    // At the first points there is none yet.
    const killed = await untilChild(run.workers)
    const queue = queueOf(run.cluster, point)
    for (const child of killed) signalTo(child, 'SIGKILL')
    const recoveryMs = await untilNext(queue)
    expect(recoveryMs).toBeLessThan(RECOVERY_MS)
    await annotate(`${killed.length} killed, the next job taken after ${Math.round(recoveryMs)} ms`)
    await finishRun(run, point, expected)
  })
})
