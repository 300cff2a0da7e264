// `headstart up` and workers on Redis and S3, as on several machines: they share nothing else.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ExperimentResult } from '../../../src/experiment/result.js'
import { runFailing, runJson, startCli } from '../../support/cli.js'
import { makeFolder, until } from '../../support/folders.js'
import { type MotoServer, startMoto } from '../../support/moto.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type RunningService, startService, startUp, type Up } from '../../support/up.js'
import { makeInputs } from './work.js'

let redis: RedisServer
let moto: MotoServer
let cwd: string
let env: Record<string, string>
let up: RunningService<Up>

beforeAll(async () => {
  ;[redis, moto] = await Promise.all([startRedis(), startMoto()])
  cwd = await makeInputs()
  env = {
    HEADSTART_QUEUE: redis.url,
    HEADSTART_STORE: `s3://${await moto.createBucket()}/store`,
    HEADSTART_S3_ENDPOINT: moto.endpoint,
    HEADSTART_S3_REGION: 'us-east-1',
  }
  up = await startUp({ cwd, env }, ['--no-workers'])
})
afterAll(() => Promise.all([redis.stop(), moto.stop()]))

it('work is done by workers elsewhere, and is what one process does', async () => {
  expect(up.ready).toMatchObject({ store: env.HEADSTART_STORE, queue: redis.url, workers: [] })
  const alone = await makeInputs()
  const expected = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd: alone })

  const { HEADSTART_S3_ENDPOINT = '', HEADSTART_S3_REGION = '' } = env
  // Neither queue nor store are named here: `up` knows them.
  const s3 = { HEADSTART_S3_ENDPOINT, HEADSTART_S3_REGION }
  const cli = startCli(['run', 'experiment.json', '--json'], { cwd, env: s3 })
  await until(async () => cli.stderr().includes('no worker takes training jobs'))
  const elsewhere = await makeFolder()
  for (const kind of ['extract', 'train'])
    await startService(['worker', kind], { cwd: elsewhere, env })
  const { code, stdout, stderr } = await cli.finished
  expect(code, stderr).toBe(0)
  const { seconds: _, ...result } = JSON.parse(stdout) as ExperimentResult
  expect(expected).toMatchObject(result)
  expect(stderr).toContain(`results go to ${env.HEADSTART_STORE}`)
  expect(stderr).toContain('quarantined red/broken.png: ')
  await expect(stat(join(cwd, '.headstart/store'))).rejects.toThrow()
})

it('another queue than that of `up` is not passed over', async () => {
  const other = { ...env, HEADSTART_QUEUE: 'redis://127.0.0.1:1' }
  const failure = await runFailing(['jobs', 'ls'], { cwd, env: other })
  expect(failure).toMatchObject({ code: 'QUEUE_UNAVAILABLE', exitCode: 1 })
})

it('a second `up` in the folder is refused, although the queue can be shared', async () => {
  const failure = await runFailing(['up', '--port', '0'], { cwd, env })
  expect(failure).toMatchObject({ code: 'QUEUE_OWNED', exitCode: 2 })
})
