// kill -9 of Redis at ten points of a run; it comes back with its append-only file. Workers and handles
// connect again by themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { JobView } from '../../../src/queue/types.js'
import { startRedis } from '../../support/redis.js'
import { type Inputs, type Left, makeInputs, undisturbed } from './outcome.js'
import { POINTS, untilJob } from './points.js'
import { finishRun, RECOVERY_MS, RUN_TIMEOUT_MS, startRun } from './run.js'

/** Longer than a few tries to connect again. */
const AWAY_MS = 2500

let inputs: Inputs
let expected: Promise<Left>
beforeAll(async () => {
  inputs = await makeInputs()
  expected = undisturbed(inputs)
})
const ends: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const end of ends) await end()
})

const looks = ({ state, progress, failedAttempts }: JobView): string =>
  JSON.stringify([state, progress, failedAttempts])

describe.concurrent('kill -9 of Redis', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(POINTS)('$name', async (point, { annotate, expect }) => {
    const redis = await startRedis({ appendOnly: 'always' })
    ends.push(redis.stop)
    const run = await startRun(inputs, { queue: `${redis.url}/0`, workers: 1 }, point)
    const { cluster, handle } = run
    const [id = ''] = handle.ids
    const before = await untilJob(cluster, id, () => true)
    await redis.kill9()
    await sleep(AWAY_MS)
    await redis.restart()
    const restartedMs = performance.now()
    await untilJob(cluster, id, (job) => looks(job) !== looks(before))
    const recoveryMs = performance.now() - restartedMs
    expect(recoveryMs).toBeLessThan(RECOVERY_MS)
    await annotate(`progress ${Math.round(recoveryMs)} ms after the restart`)
    await finishRun(run, point, expected)
    await redis.stop()
  })
})
