// Worker processes on a shared queue.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExperimentResult } from '../../../src/experiment/result.js'
import type { JobView } from '../../../src/queue/types.js'
import { PROJECT, runFailing, runJson, startCli, startProcess } from '../../support/cli.js'
import { makeFolder, until } from '../../support/folders.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { startService } from '../../support/up.js'
import { longTraining, makeInputs } from './work.js'

interface Ready {
  readonly worker: string
  readonly queue: string
  readonly store: string
  readonly engines: readonly string[]
  readonly health: string | null
}

const without = <T extends { seconds: unknown }>({ seconds: _, ...rest }: T) => rest

describe('without a queue to share', () => {
  it.each(['extract', 'train'])('worker %s says what it needs', async (kind) => {
    const cwd = await makeFolder()
    for (const env of [{}, { HEADSTART_QUEUE: join(cwd, 'queue') }]) {
      const failure = await runFailing(['worker', kind], { cwd, env })
      expect(failure).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 })
      expect(failure.message).toContain('HEADSTART_QUEUE=redis://')
    }
  })

  it('workers/extract and workers/train are the same commands', async () => {
    const cwd = await makeFolder()
    for (const kind of ['extract', 'train']) {
      const entry = join(PROJECT, `dist/workers/${kind}.js`)
      const { code, stderr } = await startProcess(process.execPath, [entry], { cwd }).finished
      expect(code).toBe(2)
      expect(stderr).toContain('error CONFIG_INVALID: a worker process needs HEADSTART_QUEUE')
    }
  })
})

describe('on Redis', () => {
  let redis: RedisServer
  let cwd: string
  let env: Record<string, string>
  beforeAll(async () => {
    redis = await startRedis()
    cwd = await makeInputs()
    env = { HEADSTART_QUEUE: redis.url.replace('redis://', 'redis://default:pw-in-url@') }
  })
  afterAll(() => redis.stop())

  it('a command says that nobody works, and goes on when somebody comes', async () => {
    const alone = await makeInputs()
    const expected = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd: alone })
    const cli = startCli(['run', 'experiment.json', '--json'], { cwd, env })
    await until(async () => /start one with `headstart worker extract`/.test(cli.stderr()))
    const extract = await startService<Ready>(['worker', 'extract'], { cwd, env })
    const train = await startService<Ready>(['worker', 'train'], { cwd, env })
    expect(extract.ready).toMatchObject({
      worker: 'extract',
      queue: redis.url,
      store: `file://${cwd}/.headstart/store`,
    })
    const { code, stdout, stderr } = await cli.finished
    expect(code, stderr).toBe(0)
    expect(without(JSON.parse(stdout) as ExperimentResult)).toEqual(without(expected))
    expect((await extract.stop()).code).toBe(143)
    expect((await train.stop('SIGINT')).code).toBe(130)
    const said = [cli.stderr(), extract.cli.stdout(), extract.cli.stderr(), train.cli.stdout()]
    expect(said.join('')).not.toContain('pw-in-url')
  })

  it('a worker answers for its health, and drains on the first signal', async () => {
    const args = ['worker', 'train', '--health-port', '0']
    const worker = await startService<Ready>(args, { cwd, env })
    const health = worker.ready.health ?? ''
    const status = async (path: string) => (await fetch(health + path)).status
    expect(await status('/health/live')).toBe(200)
    expect(await status('/health/ready')).toBe(200)
    expect(await status('/')).toBe(404)

    const extract = await startService<Ready>(['worker', 'extract'], { cwd, env })
    const { jobs } = await runJson<{ jobs: string[] }>([...longTraining(1), '--detach'], {
      ...{ cwd, env },
    })
    const show = () => runJson<JobView>(['jobs', 'show', jobs[0] ?? ''], { cwd, env })
    await until(async () => (await show()).state === 'active')
    await sleep(1000)
    const { code, stderr } = await worker.stop()
    expect(code, stderr).toBe(143)
    expect(stderr).toContain('SIGTERM: ')
    expect(['waiting', 'active']).toContain((await show()).state)
    await runJson(['jobs', 'cancel', jobs[0] ?? ''], { cwd, env })
    await extract.stop()
  })
})
