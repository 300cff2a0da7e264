// kill -9 of the coordinator, in the middle of a pass, at ten points of an extraction. It runs in a
// process of its own here, which kills itself; shards are computed in another, which lives on.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { queueNamesOf } from '../../../src/queue/jobs.js'
import { PROJECT, type RunningCli, startProcess } from '../../support/cli.js'
import { type Cluster, startCluster } from '../../support/cluster.js'
import { makeFolder, until } from '../../support/folders.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import {
  fileStoreUrl,
  type Inputs,
  type Left,
  lookInto,
  makeInputs,
  ROWS,
  undisturbed,
  withoutHeads,
} from './outcome.js'
import { activeIn, untilTakenUp } from './points.js'
import { RECOVERY_MS, RUN_TIMEOUT_MS } from './run.js'

let redis: RedisServer
let inputs: Inputs
let expected: Promise<Left>
beforeAll(async () => {
  redis = await startRedis()
  inputs = await makeInputs()
  expected = undisturbed(inputs)
})
const parts: RunningCli[] = []
afterAll(async () => {
  for (const { child } of parts) child.kill('SIGKILL')
  await Promise.all(parts.map(({ finished }) => finished))
  await redis.stop()
})

const ENTRY = join(PROJECT, 'test/integration/chaos/part-of-worker.mjs')

const startPart = async (cluster: Cluster, ...args: readonly string[]): Promise<RunningCli> => {
  const cwd = await makeFolder()
  const started = startProcess(process.execPath, [ENTRY, ...args], { cwd, env: cluster.env })
  parts.push(started)
  const { child } = started
  // One that is to kill itself may do so before it says that it is ready.
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until(async () => started.stdout() !== '' || hasEnded())
  if (child.exitCode !== null) throw new Error(started.stderr())
  return started
}

const MOMENTS = ['begins', 'reports', 'has reported'] as const

const CASES = Array.from({ length: 10 }, (_, index) => ({
  index,
  percent: 10 * index,
  moment: MOMENTS[index % MOMENTS.length] ?? '',
}))

describe.concurrent('kill -9 of the coordinator', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(CASES)(
    'that $moment when $percent % are computed',
    async (point, { annotate, expect }) => {
      const { index, percent, moment } = point
      const cluster = await startCluster({
        queue: `${redis.url}/${index}`,
        store: await fileStoreUrl(),
      })
      const { folder, extraction } = inputs
      const handle = await cluster.service.enqueueExtraction(extraction, { folder })
      await startPart(cluster, 'shards')
      const first = await startPart(cluster, 'coordinator', String(percent / 100), moment)
      expect(await first.finished).toMatchObject({ signal: 'SIGKILL' })
      const queue = cluster.backend.queue(queueNamesOf('extraction')[0] ?? '')
      const held = await activeIn(queue)
      expect([...held.keys()]).toEqual(handle.ids)
      await startPart(cluster, 'coordinator')
      const recoveryMs = await untilTakenUp(queue, held)
      expect(recoveryMs).toBeLessThan(RECOVERY_MS)
      await annotate(`taken up after ${Math.round(recoveryMs)} ms`)
      await handle.finished()
      expect(await lookInto(cluster.workspace.store, ROWS)).toEqual(withoutHeads(await expected))
      await cluster.close()
    },
  )
})
