// Every shard executed twice at the same time, by two clusters that know nothing of each other and share
// a store on S3, whose answers get lost and whose server fails now and then.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../support/cluster.js'
import {
  type HttpFaultProxy,
  SERVER_ERROR,
  type SeenRequest,
  SLOW_DOWN,
  startHttpProxy,
  WRITE_CONFLICT,
} from '../../support/http-fault-proxy.js'
import { type MotoServer, startMoto } from '../../support/moto.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type Inputs, type Left, lookInto, makeInputs, ROWS, undisturbed } from './outcome.js'
import { RUN_TIMEOUT_MS } from './run.js'

let redis: RedisServer
let moto: MotoServer
let inputs: Inputs
let expected: Promise<Left>
const proxies: HttpFaultProxy[] = []
beforeAll(async () => {
  redis = await startRedis()
  moto = await startMoto()
  inputs = await makeInputs()
  expected = undisturbed(inputs)
})
afterAll(async () => {
  for (const proxy of proxies) await proxy.close()
  await moto.stop()
  await redis.stop()
})

const startProxy = async (): Promise<HttpFaultProxy> => {
  const proxy = await startHttpProxy({ target: moto.endpoint })
  proxies.push(proxy)
  return proxy
}

const isShardWrite = ({ method, path }: SeenRequest): boolean =>
  method === 'PUT' && path.includes('/features/')

/** Holds the first write of each shard back until the second one has come. */
const writeTogether = (proxy: HttpFaultProxy): ReadonlyMap<string, number> => {
  const writes = new Map<string, number>()
  const waiting = new Map<string, () => void>()
  proxy.onRequest = async (request) => {
    if (!isShardWrite(request)) return
    const { path } = request
    writes.set(path, (writes.get(path) ?? 0) + 1)
    if (writes.get(path) === 1)
      await new Promise<void>((resolve) => {
        waiting.set(path, resolve)
      })
    waiting.get(path)?.()
  }
  return writes
}

const startTwo = async (proxy: HttpFaultProxy, database: number): Promise<readonly Cluster[]> => {
  const store = `s3://${await moto.createBucket()}/main`
  const start = async (index: number): Promise<Cluster> => {
    const cluster = await startCluster({
      queue: `${redis.url}/${database + index}`,
      store,
      s3Endpoint: moto.endpoint,
      workerS3Endpoint: proxy.endpoint,
    })
    await Promise.all([cluster.start('extract'), cluster.start('train')])
    return cluster
  }
  return Promise.all([start(0), start(1)])
}

const runBoth = async (clusters: readonly Cluster[]): Promise<void> => {
  const { folder, experiment } = inputs
  const handles = await Promise.all(
    clusters.map(({ service }) => service.enqueueTraining(experiment, { folder })),
  )
  for (const handle of handles) {
    expect(await handle.extraction.finished()).toMatchObject([{ samples: ROWS, quarantined: 0 }])
    await handle.finished()
  }
  for (const { workspace } of clusters)
    expect(await lookInto(workspace.store, ROWS)).toEqual(await expected)
}

describe('two clusters on one store', { timeout: RUN_TIMEOUT_MS }, () => {
  it('compute and write every shard at the same time: one object each, with equal bytes', async () => {
    const proxy = await startProxy()
    const writes = writeTogether(proxy)
    const clusters = await startTwo(proxy, 0)
    await runBoth(clusters)
    expect(writes.size).toBe(Object.keys((await expected).shards).length)
    for (const count of writes.values()) expect(count).toBeGreaterThanOrEqual(2)
    for (const cluster of clusters) await cluster.close()
  })

  it('do so while answers get lost and the server fails', async () => {
    const proxy = await startProxy()
    const writes = writeTogether(proxy)
    const when = isShardWrite
    for (const fault of [{ kind: 'answer-lost' } as const, WRITE_CONFLICT, SERVER_ERROR, SLOW_DOWN])
      proxy.add({ fault, when, times: 3 })
    const others = [{ kind: 'reset' } as const, SERVER_ERROR, SLOW_DOWN]
    for (const fault of others)
      proxy.add({ fault, when: ({ method }) => method === 'GET', times: 3 })
    const clusters = await startTwo(proxy, 2)
    await runBoth(clusters)
    expect(writes.size).toBe(Object.keys((await expected).shards).length)
    for (const cluster of clusters) await cluster.close()
  })
})
