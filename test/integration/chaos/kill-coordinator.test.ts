// kill -9 of the coordinator, in the middle of a pass, at ten points of an extraction. It runs in a
// process of its own here; shards are computed in another, which lives on.
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
import { activeIn, share, untilActive, untilPoint, untilTakenUp } from './points.js'
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

const startPart = async (cluster: Cluster, part: 'coordinator' | 'shards'): Promise<RunningCli> => {
  const cwd = await makeFolder()
  const started = startProcess(process.execPath, [ENTRY, part], { cwd, env: cluster.env })
  parts.push(started)
  await until(async () => started.stdout() !== '' || started.child.exitCode !== null)
  if (started.child.exitCode !== null) throw new Error(started.stderr())
  return started
}

/** Kills coordinators until one died in the middle of a pass. @returns since when it had the job. */
const killInPass = async (cluster: Cluster): Promise<ReadonlyMap<string, number>> => {
  const queue = cluster.backend.queue(queueNamesOf('extraction')[0] ?? '')
  for (;;) {
    const coordinator = await startPart(cluster, 'coordinator')
    await untilActive(queue)
    coordinator.child.kill('SIGKILL')
    await coordinator.finished
    const held = await activeIn(queue)
    if (held.size > 0) return held
  }
}

const CASES = Array.from({ length: 10 }, (_, i) => ({ ...share(i / 10), index: i }))

describe.concurrent('kill -9 of the coordinator', { timeout: RUN_TIMEOUT_MS }, () => {
  it.for(CASES)('in a pass $name', async (point, { annotate, expect }) => {
    const cluster = await startCluster({
      queue: `${redis.url}/${point.index}`,
      store: await fileStoreUrl(),
    })
    const { folder, extraction } = inputs
    const handle = await cluster.service.enqueueExtraction(extraction, { folder })
    await startPart(cluster, 'shards')
    const first = await startPart(cluster, 'coordinator')
    await untilPoint(cluster, handle, point)
    first.child.kill('SIGKILL')
    await first.finished
    const held = await killInPass(cluster)
    await startPart(cluster, 'coordinator')
    const queue = cluster.backend.queue(queueNamesOf('extraction')[0] ?? '')
    const recoveryMs = await untilTakenUp(queue, held)
    expect(recoveryMs).toBeLessThan(RECOVERY_MS)
    await annotate(`taken up after ${Math.round(recoveryMs)} ms`)
    await handle.finished()
    expect(await lookInto(cluster.workspace.store, ROWS)).toEqual(withoutHeads(await expected))
    await cluster.close()
  })
})
