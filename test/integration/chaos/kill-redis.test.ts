// kill -9 of Redis at ten points of a run; it comes back with its append-only file. Workers and handles
// connect again by themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startRedis } from '../../support/redis.js'
import { type Inputs, type Left, makeInputs, undisturbed } from './outcome.js'
import { POINTS } from './points.js'
import { finishRun, RUN_TIMEOUT_MS, startRun } from './run.js'

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

describe.concurrent('kill -9 of Redis', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(POINTS)('$name', async (point, { annotate }) => {
    const redis = await startRedis({ appendOnly: 'always' })
    ends.push(redis.stop)
    const run = await startRun(inputs, { queue: `${redis.url}/0` }, point)
    await redis.kill9()
    await sleep(AWAY_MS)
    await redis.restart()
    const started = performance.now()
    await finishRun(run, point, expected)
    await annotate(`the run ended ${Math.round(performance.now() - started)} ms after the restart`)
    await redis.stop()
  })
})
