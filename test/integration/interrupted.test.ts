// Real processes of the command line, ended in the middle of their work.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { documentOf, type RunningCli, runCli, runJson, startCli } from '../support/cli.js'
import { writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { filesBelow, makeFolder, until } from '../support/folders.js'
import { readEverything, samplesKept, stateOf } from './state.js'

interface Work {
  /** Of the folder of inputs. */
  readonly name: string
  readonly rows: number
  readonly epochs: number
}

// Many shards, so that a signal after the first one finds others missing, on faster machines too.
const WIDE: Work = { name: 'wide', rows: 65_536, epochs: 1 }
// Long enough to be saved in between (every two seconds), on faster machines too.
const LONG: Work = { name: 'long', rows: 8192, epochs: 800 }

interface Result {
  featureSet: { computed: number; reused: number; samples: number }
  runs: { id: string; trained: boolean }[]
}

let inputs: string
const undisturbed = new Map<Work, Awaited<ReturnType<typeof stateOf>>>()

const trainArguments = ({ name, epochs }: Work): string[] => [
  'train',
  ...['--base', join(inputs, 'base'), '--cut', 'features'],
  ...['--dataset', join(inputs, name, 'rows.npy'), '--labels', join(inputs, name, 'labels.csv')],
  ...['--epochs', String(epochs), '--json'],
]

beforeAll(async () => {
  inputs = await makeFolder()
  await writeDenseBase(join(inputs, 'base'))
  for (const work of [WIDE, LONG]) {
    await writeDenseDataset(join(inputs, work.name), work.rows)
    const cwd = await makeFolder()
    await runJson<Result>(trainArguments(work), { cwd })
    undisturbed.set(work, await stateOf(cwd))
  }
})

const store = (cwd: string, folder: string) => filesBelow(join(cwd, '.headstart/store', folder))
const shardsIn = async (cwd: string): Promise<number> =>
  (await store(cwd, 'features')).filter((name) => name.endsWith('.arrow')).length
const hasFeatureSet = async (cwd: string): Promise<boolean> =>
  (await store(cwd, 'feature-sets')).some((name) => name.endsWith('.json'))
const checkpoints = async (cwd: string): Promise<string[]> =>
  (await filesBelow(join(cwd, '.headstart/cache/checkpoints'))).filter(
    // The list of heads is written before any of them is trained.
    (name) => !name.endsWith('.tmp') && !name.endsWith('/heads'),
  )

/** Sends a signal when something holds, and fails when the process ends before it. */
const signalWhen = async (
  cli: RunningCli,
  signal: NodeJS.Signals,
  holds: () => Promise<boolean>,
): Promise<void> => {
  let ended = false
  void cli.finished.then(() => (ended = true))
  await until(async () => ended || (await holds()))
  if (ended) throw new Error(`the process ended too early: ${cli.stderr()}`)
  cli.child.kill(signal)
}

/** The same command again: it computes what is missing and ends as if nothing had happened. */
const expectToGoOn = async (cwd: string, work: Work): Promise<void> => {
  const { rows } = work
  await readEverything(cwd)
  const kept = await samplesKept(cwd)
  const { featureSet } = await runJson<Result>(trainArguments(work), { cwd })
  expect(featureSet).toMatchObject({ samples: rows, computed: rows - kept, reused: kept })
  expect(await stateOf(cwd)).toEqual(undisturbed.get(work))
  expect(await checkpoints(cwd)).toEqual([])
}

describe('Ctrl-C', () => {
  it('in the middle of extraction keeps what was computed, and the next call goes on', async () => {
    const cwd = await makeFolder()
    const cli = startCli(trainArguments(WIDE), { cwd })
    await signalWhen(cli, 'SIGINT', async () => (await shardsIn(cwd)) >= 1)
    const result = await cli.finished
    expect(result).toMatchObject({ code: 130, signal: null })
    expect(documentOf(result)).toMatchObject({ error: { code: 'INTERRUPTED' } })
    expect(result.stderr).toContain('SIGINT: stopping after this batch; once more stops at once')
    expect(result.stderr).toContain('goes on where it stopped')
    expect(await hasFeatureSet(cwd)).toBe(false)
    expect(await samplesKept(cwd)).toBeGreaterThan(0)
    expect(await samplesKept(cwd)).toBeLessThan(WIDE.rows)
    await expectToGoOn(cwd, WIDE)
  })

  it('in the middle of training saves the last epoch, and the next call ends with the same bits', async () => {
    const cwd = await makeFolder()
    const cli = startCli(trainArguments(LONG), { cwd })
    await signalWhen(cli, 'SIGINT', async () => (await checkpoints(cwd)).length > 0)
    const result = await cli.finished
    expect(result.code).toBe(130)
    expect(result.stderr).toContain('error INTERRUPTED')
    expect(await checkpoints(cwd)).toHaveLength(1)
    expect(await store(cwd, 'runs')).toEqual([])
    await expectToGoOn(cwd, LONG)
  })
})

describe('SIGKILL', () => {
  it('at any point of extraction and training breaks nothing, and whole shards are kept', async () => {
    const cwd = await makeFolder()
    const points: (() => Promise<boolean>)[] = [
      async () => (await store(cwd, 'extractors')).length > 0,
      async () => (await shardsIn(cwd)) >= 1,
      async () => (await shardsIn(cwd)) >= 3,
      () => hasFeatureSet(cwd),
      async () => (await checkpoints(cwd)).length > 0,
    ]
    let keptBefore = 0
    for (const reached of points) {
      const cli = startCli(trainArguments(LONG), { cwd })
      await signalWhen(cli, 'SIGKILL', reached)
      expect(await cli.finished).toMatchObject({ code: null, signal: 'SIGKILL' })
      const kept = await samplesKept(cwd)
      expect(kept).toBeGreaterThanOrEqual(keptBefore)
      keptBefore = kept
    }
    await expectToGoOn(cwd, LONG)
  })

  it('of one of two processes with the same work does not hold up the other', async () => {
    const cwd = await makeFolder()
    const doomed = startCli(trainArguments(WIDE), { cwd })
    const other = startCli(trainArguments(WIDE), { cwd })
    await signalWhen(doomed, 'SIGKILL', async () => (await shardsIn(cwd)) >= 1)
    const result = await other.finished
    expect(result.code, result.stderr).toBe(0)
    const { featureSets } = await stateOf(cwd)
    expect(featureSets).toEqual(undisturbed.get(WIDE)?.featureSets)
    expect((await runCli(['runs', 'ls', '--json'], { cwd })).code).toBe(0)
  })
})
