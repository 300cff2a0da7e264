// The same experiment in one process, through `headstart up` on the embedded queue, and through Redis
// and S3 with two extract workers and one train worker: the same ids and the same bytes.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { openStore } from '../../src/store/open.js'
import { runJson } from '../support/cli.js'
import { writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeFiles, writeTinyImages } from '../support/tiny-images.js'
import { startService, startUp } from '../support/up.js'
import { contentOf, storeIn } from './state.js'

const COMMAND = ['run', 'experiment.json', '--json']
const TIMEOUT_MS = 180_000

let moto: MotoServer
let redis: RedisServer
beforeAll(async () => {
  moto = await startMoto()
  redis = await startRedis()
})
afterAll(async () => {
  await redis.stop()
  await moto.stop()
})

const heads = [
  { kind: 'linear', epochs: 4 },
  { kind: 'mlp', width: 8, epochs: 3 },
]

/** Five shards of rows. */
const writeRowProject = async (cwd: string): Promise<void> => {
  await writeDenseBase(join(cwd, 'base'))
  await writeDenseDataset(cwd, 9000)
  const experiment = {
    name: 'rows',
    base: { from: './base', cut: 'features' },
    dataset: { from: './rows.npy', labels: './labels.csv' },
    heads,
  }
  await writeFiles(cwd, { 'experiment.json': JSON.stringify(experiment) })
}

/** Images in two views. */
const writeImageProject = async (cwd: string): Promise<void> => {
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 20)
  const experiment = {
    name: 'images',
    base: { from: './base', cut: 'pool' },
    dataset: { from: './images' },
    views: 2,
    heads,
  }
  await writeFiles(cwd, { 'experiment.json': JSON.stringify(experiment) })
}

const withoutTimes = ({ seconds: _seconds, ...result }: ExperimentResult) => result

interface Outcome {
  readonly result: ReturnType<typeof withoutTimes>
  readonly content: Map<string, string>
}

const inOneProcess = async (cwd: string): Promise<Outcome> => {
  const result = await runJson<ExperimentResult>(COMMAND, { cwd })
  return { result: withoutTimes(result), content: await contentOf(storeIn(cwd)) }
}

const throughUp = async (cwd: string): Promise<Outcome> => {
  const up = await startUp({ cwd })
  const result = await runJson<ExperimentResult>(COMMAND, { cwd })
  await up.stop()
  return { result: withoutTimes(result), content: await contentOf(storeIn(cwd)) }
}

const throughRedisAndS3 = async (cwd: string, database: number): Promise<Outcome> => {
  const url = `s3://${await moto.createBucket()}/team/features`
  const env = {
    HEADSTART_QUEUE: `${redis.url}/${database}`,
    HEADSTART_STORE: url,
    HEADSTART_S3_ENDPOINT: moto.endpoint,
    AWS_ACCESS_KEY_ID: 'test-access-key',
    AWS_SECRET_ACCESS_KEY: 'test-secret-key',
    AWS_REGION: 'us-east-1',
  }
  const kinds = ['extract', 'extract', 'train']
  const workers = await Promise.all(
    kinds.map((kind) => startService(['worker', kind], { cwd, env })),
  )
  const result = await runJson<ExperimentResult>(COMMAND, { cwd, env })
  await Promise.all(workers.map((worker) => worker.stop()))
  const store = await openStore({ url, s3Endpoint: moto.endpoint, s3Region: 'us-east-1' })
  const content = await contentOf(store)
  await store.close()
  return { result: withoutTimes(result), content }
}

describe.each([
  ['rows in five shards', writeRowProject, 1],
  ['images in two views', writeImageProject, 2],
] as const)('%s', { timeout: TIMEOUT_MS }, (_what, write, database) => {
  const project = async (): Promise<string> => {
    const cwd = await makeFolder()
    await write(cwd)
    return cwd
  }

  it('give the same result and the same bytes inline, through up, and through Redis and S3', async () => {
    const inline = await inOneProcess(await project())
    const up = await throughUp(await project())
    const cluster = await throughRedisAndS3(await project(), database)

    expect(up.result).toEqual(inline.result)
    expect(cluster.result).toEqual(inline.result)
    expect([...inline.content.keys()].some((key) => key.startsWith('features/'))).toBe(true)
    expect([...inline.content.keys()].some((key) => /^runs\/.*\/head\//.test(key))).toBe(true)
    expect([...up.content]).toEqual([...inline.content])
    expect([...cluster.content]).toEqual([...inline.content])
  })
})
