// `headstart up` and the commands that go through it, as processes.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ExtractOnlyResult } from '../../../src/experiment/extract-only.js'
import type { ExperimentResult } from '../../../src/experiment/result.js'
import type { JobView } from '../../../src/queue/types.js'
import { runCli, runFailing, runJson, startCli } from '../../support/cli.js'
import { makeFolder, until } from '../../support/folders.js'
import { type RunningService, startUp, type Up } from '../../support/up.js'
import { EXTRACT, longTraining, makeInputs } from './work.js'

type Jobs = { jobs: JobView[] }
type Enqueued = { jobs: string[]; featureSets: string[]; runs: string[] }

const without = <T extends { seconds: unknown }>({ seconds: _, ...rest }: T) => rest

/** What differs between two commands that fail alike. */
const anyOutput = { stdout: expect.any(String), stderr: expect.any(String) }

let cwd: string
let up: RunningService<Up>

beforeAll(async () => {
  cwd = await makeInputs()
  up = await startUp({ cwd })
})

describe('headstart up', () => {
  it('says where it listens, and keeps its token to its user', async () => {
    expect(up.ready.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(up.ready).toMatchObject({
      store: `file://${cwd}/.headstart/store`,
      queue: `${cwd}/.headstart/queue`,
      workers: ['extract', 'train'],
    })
    const path = join(cwd, '.headstart/up.json')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const { token } = JSON.parse(await readFile(path, 'utf8')) as { token: string }
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(up.cli.stdout() + up.cli.stderr()).not.toContain(token)
  })

  it('refuses a second one in its folder, and goes on', async () => {
    const failure = await runFailing(['up', '--port', '0'], { cwd })
    expect(failure).toMatchObject({ code: 'QUEUE_OWNED', exitCode: 2 })
    expect(failure.message).toContain(String(up.ready.pid))
    expect(failure.message).toContain(up.ready.url)
    expect(await runJson(['jobs', 'ls'], { cwd })).toHaveProperty('jobs')
  })
})

describe('through it', () => {
  it('run gives what it gives in one process, and again computes nothing', async () => {
    const alone = await makeInputs()
    const expected = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd: alone })
    const result = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd })
    expect(without(result)).toEqual(without(expected))
    expect(Object.keys(result)).toEqual(Object.keys(expected))
    const again = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd })
    const repeated = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd: alone })
    expect(without(again)).toEqual(without(repeated))
    expect(again.featureSet.computed).toBe(0)
    expect(again.runs.map(({ trained }) => trained)).toEqual([false, false])
  })

  it('run says for people what it says in one process', async () => {
    const { code, stdout, stderr } = await runCli(['run', 'experiment.json'], { cwd })
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^samples +20\ncomputed +0\n/)
    expect(stderr).toContain('quarantined red/broken.png: ')
  })

  it('extract names what is in quarantine, as in one process', async () => {
    const alone = await makeInputs()
    const expected = await runJson<ExtractOnlyResult>(EXTRACT, { cwd: alone })
    const { featureSets } = await runJson<ExtractOnlyResult>(EXTRACT, { cwd })
    const { quarantined, id } = expected.featureSets[0] ?? {}
    expect(quarantined).toMatchObject([{ name: 'red/broken.png' }])
    expect(featureSets).toMatchObject([{ id, quarantined, samples: 20 }])
    const refused = await runFailing([...EXTRACT, '--max-quarantine', '0.01'], { cwd })
    expect(refused).toMatchObject({ code: 'DATASET_QUARANTINE_EXCEEDED', exitCode: 1 })
    expect(refused.details).toEqual([expect.stringContaining('red/broken.png')])
    const train = ['train', ...EXTRACT.slice(1), '--max-quarantine', '0.01', '--epochs', '1']
    expect(await runFailing(train, { cwd })).toMatchObject({ ...refused, ...anyOutput })
  })

  it('a wrong request is refused as in one process', async () => {
    const args = ['extract', '--base', 'base', '--cut', 'none', '--dataset', 'images']
    const failure = await runFailing(args, { cwd })
    expect(failure).toMatchObject({ code: 'CUT_NOT_FOUND', exitCode: 2 })
  })

  it('--detach returns at once with the ids of jobs that go on, to be waited for', async () => {
    const args = ['train', ...EXTRACT.slice(1), '--epochs', '2', '--seed', '7', '--detach']
    const enqueued = await runJson<Enqueued>(args, { cwd })
    expect(enqueued).toMatchObject({
      jobs: [expect.stringMatching(/^training-/), expect.stringMatching(/^extraction-/)],
      runs: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    })
    const [training = '', extraction = ''] = enqueued.jobs
    const { jobs } = await runJson<Jobs>(['jobs', 'wait', training.slice(0, 20), extraction], {
      cwd,
    })
    expect(jobs.map(({ id, state }) => [id, state])).toEqual([
      [training, 'completed'],
      [extraction, 'completed'],
    ])
    expect(jobs[0]?.result).toMatchObject({ runs: [{ id: enqueued.runs[0] }] })
    await runJson(['runs', 'show', enqueued.runs[0] ?? ''], { cwd })
    const shown = await runCli(['jobs', 'show', training], { cwd })
    expect(shown.stdout).toMatch(/^state +completed$/m)
    const listed = await runCli(['jobs', 'ls', '--kind', 'training'], { cwd })
    expect(listed.stdout).toContain(`${training.slice(0, 21)}  completed`)

    expect(await runJson(['jobs', 'rm', training], { cwd })).toEqual({ removed: [training] })
    const gone = await runFailing(['jobs', 'show', training], { cwd })
    expect(gone).toMatchObject({ code: 'NOT_FOUND', exitCode: 2 })
    await runJson(['runs', 'show', enqueued.runs[0] ?? ''], { cwd })
  })

  it('Ctrl-C ends the waiting and not the job; another process cancels it', async () => {
    const cli = startCli(longTraining(1), { cwd })
    const active = async () => {
      const { jobs } = await runJson<Jobs>(['jobs', 'ls', '--state', 'active'], { cwd })
      return jobs.find(({ kind }) => kind === 'training')
    }
    await until(async () => (await active()) !== undefined || cli.child.exitCode !== null)
    cli.child.kill('SIGINT')
    const { code, stderr } = await cli.finished
    expect(code, stderr).toBe(130)
    expect(stderr).toContain('no longer waiting; the jobs go on')
    const id = (await active())?.id ?? ''
    expect(stderr).toContain(`headstart jobs cancel ${id.slice(0, 21)}`)

    const waiting = startCli(['jobs', 'wait', id, '--json'], { cwd })
    await runJson(['jobs', 'cancel', id], { cwd })
    const ended = await waiting.finished
    expect(ended.code, ended.stderr).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'JOB_CANCELLED' } })
    expect(await runJson(['jobs', 'show', id], { cwd })).toMatchObject({ state: 'cancelled' })
  })

  it('does not take what is for another store', async () => {
    const store = `file://${await makeFolder()}`
    const { code, stderr } = await runCli([...EXTRACT, '--store', store], { cwd })
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('working in this process')
    const failure = await runFailing(['jobs', 'ls', '--store', store], { cwd })
    expect(failure).toMatchObject({ code: 'QUEUE_UNAVAILABLE' })
    expect(failure.message).toContain(up.ready.store)
  })
})

describe('the end of it', () => {
  it('comes in order with SIGTERM: commands work by themselves again', async () => {
    const { code, stderr } = await up.stop()
    expect(code, stderr).toBe(143)
    expect(stderr).toContain('SIGTERM: ')
    await expect(stat(join(cwd, '.headstart/up.json'))).rejects.toThrow()
    const again = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd })
    expect(again.featureSet.computed).toBe(0)
    const failure = await runFailing(['jobs', 'ls'], { cwd })
    expect(failure).toMatchObject({ code: 'QUEUE_UNAVAILABLE', exitCode: 1 })
    expect(failure.message).toContain('headstart up')
  })

  it('keeps jobs: the next one knows them', async () => {
    up = await startUp({ cwd })
    const { jobs } = await runJson<Jobs>(['jobs', 'ls'], { cwd })
    expect(jobs.map(({ state }) => state)).toContain('completed')
  })

  it('by kill -9 leaves nothing in the way, and its job goes on with the next one', async () => {
    const {
      jobs: [id = ''],
    } = await runJson<Enqueued>([...longTraining(2), '--detach'], { cwd })
    const state = async () => (await runJson<JobView>(['jobs', 'show', id], { cwd })).state
    await until(async () => (await state()) === 'active')
    await up.stop('SIGKILL')
    expect((await stat(join(cwd, '.headstart/up.json'))).isFile()).toBe(true)
    const alone = await runJson<ExperimentResult>(['run', 'experiment.json'], { cwd })
    expect(alone.featureSet.computed).toBe(0)
    up = await startUp({ cwd })
    await until(async () => (await state()) === 'active')
    await runJson(['jobs', 'cancel', id], { cwd })
    await runCli(['jobs', 'wait', id], { cwd })
    expect(await state()).toBe('cancelled')
  })

  it('comes at once with a second signal', async () => {
    const {
      jobs: [id = ''],
    } = await runJson<Enqueued>([...longTraining(3), '--detach'], { cwd })
    const isActive = async () =>
      (await runJson<JobView>(['jobs', 'show', id], { cwd })).state === 'active'
    await until(isActive)
    up.cli.child.kill('SIGINT')
    await until(async () => up.cli.stderr().includes('once more stops at once'))
    const { code } = await up.stop('SIGINT')
    expect(code).toBe(130)
  })

  it('comes with a failed start too: nothing stays open', async () => {
    up = await startUp({ cwd })
    const other = await makeFolder()
    const port = new URL(up.ready.url).port
    const failure = await runFailing(['up', '--port', port], { cwd: other })
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 })
    await (await startUp({ cwd: other })).stop()
    expect((await up.stop('SIGINT')).code).toBe(130)
  })
})
