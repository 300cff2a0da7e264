// SIGSTOP of a worker and its engine process past the lock, then SIGCONT: others did its work meanwhile,
// and what it does afterwards changes nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../../src/store/port.js'
import { signalTo, startCluster } from '../../support/cluster.js'
import { until } from '../../support/folders.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { keysBelow } from '../state.js'
import {
  fileStoreUrl,
  type Left,
  lookInto,
  makeInputs,
  ROWS,
  undisturbed,
  withoutHeads,
} from './outcome.js'
import { queueOf, share, untilActive, untilChild } from './points.js'
import { RUN_TIMEOUT_MS } from './run.js'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

/** Which writing each object of a certificate is. */
const versionsOf = async (store: Store, left: Left): Promise<Record<string, string>> => {
  const versions: Record<string, string> = {}
  for (const key of [...Object.keys(left.shards), ...Object.keys(left.featureSets)])
    versions[key] = (await store.head(key))?.version ?? 'missing'
  return versions
}

describe('a worker that is stopped past its lock', { timeout: RUN_TIMEOUT_MS }, () => {
  it('finds its shard done when it goes on, and commits nothing twice', async () => {
    const inputs = await makeInputs()
    const expected = undisturbed(inputs)
    const cluster = await startCluster({ queue: `${redis.url}/0`, store: await fileStoreUrl() })
    const { store } = cluster.workspace
    const stopped = await cluster.start('extract')
    const { folder, extraction } = inputs
    const handle = await cluster.service.enqueueExtraction(extraction, { folder })
    const [shardId] = [...(await untilActive(queueOf(cluster, share(0)))).keys()]
    await untilChild([stopped])
    const pids = [...stopped.children(), stopped.pid]
    for (const pid of pids) signalTo(pid, 'SIGSTOP')

    const other = await cluster.start('extract')
    await handle.finished()
    expect(other.log()).toContain(`${shardId} is taken up again: its worker died`)
    const left = await lookInto(store, ROWS)
    expect(left).toEqual(withoutHeads(await expected))
    const versions = await versionsOf(store, left)

    for (const pid of pids) signalTo(pid, 'SIGCONT')
    await until(async () => stopped.log().includes(`${shardId}: the lock was lost`))
    // Its engine process has ended the task by now: with the shard, or with a part of it.
    expect(await lookInto(store, ROWS)).toEqual(left)
    expect(await versionsOf(store, left)).toEqual(versions)
    expect((await keysBelow(store, 'feature-sets/')).length).toBe(1)
    const [result] = await handle.finished()
    expect(result).toMatchObject({ samples: ROWS, quarantined: 0 })
    const again = await cluster.service.enqueueExtraction(extraction, { folder })
    expect(await again.finished()).toMatchObject([{ computed: 0, reused: ROWS }])
    await cluster.close()
  })
})
