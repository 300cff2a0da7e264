// kill -9 of a worker process at ten points of a run; another worker takes over.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type Inputs, type Left, makeInputs, undisturbed } from './outcome.js'
import { activeIn, POINTS, queueOf, untilTakenUp } from './points.js'
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

describe.concurrent('kill -9 of a worker', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(CASES)('$name', async (point, { annotate, expect }) => {
    const run = await startRun(inputs, { queue: `${redis.url}/${point.index}`, workers: 2 }, point)
    const { cluster, workers } = run
    const queue = queueOf(cluster, point)
    // The one that works, where only one does.
    const victim = workers.find((worker) => worker.children().length > 0) ?? workers[0]
    await victim?.kill9()
    const held = await activeIn(queue)
    const recoveryMs = await untilTakenUp(queue, held)
    expect(recoveryMs).toBeLessThan(RECOVERY_MS)
    await annotate(`${held.size} in hand, taken up after ${Math.round(recoveryMs)} ms`)
    await finishRun(run, point, expected)
  })
})
