// How often the stored features are read: once, to open them for training. What follows, the test split of
// the best head and the reports of all runs, goes over what is open.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeReport } from '../../src/experiment/report.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { runExperiment } from '../../src/experiment/run.js'
import { type ExperimentInput, parseExperiment } from '../../src/experiment/schema.js'
import { openIn } from '../integration/experiments.js'
import { keysBelow } from '../integration/state.js'
import { writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { countReads } from './counted-store.js'

const ROWS = 8000
/** Holds the largest shard twice and a little more, and not all features. */
const STREAMED_BYTES = 700_000
/** Holds the features of one cut, and not of two. */
const ONE_CUT_BYTES = 1_000_000

interface Ran {
  readonly cwd: string
  readonly result: ExperimentResult
  /** How often each shard was read, one a shard. */
  readonly reads: readonly number[]
  readonly notices: readonly string[]
}

const run = async (input: Partial<ExperimentInput>, memoryBytes?: number): Promise<Ran> => {
  const cwd = await makeFolder()
  await writeDenseBase(join(cwd, 'base'), true)
  await writeDenseDataset(cwd, ROWS)
  const workspace = await openIn(cwd)
  const { store, reads } = countReads(workspace.store)
  const notices: string[] = []
  try {
    const result = await runExperiment({
      workspace: { ...workspace, store, ...(memoryBytes === undefined ? {} : { memoryBytes }) },
      folder: cwd,
      experiment: parseExperiment({
        base: { from: './base', cut: 'features' },
        dataset: { from: './rows.npy', labels: './labels.csv' },
        heads: [{ kind: 'linear', epochs: 2 }],
        ...input,
      }),
      events: { onNotice: (message) => notices.push(message) },
    })
    const shards = await keysBelow(workspace.store, 'features/')
    return { cwd, result, reads: shards.map((key) => reads.get(key) ?? 0), notices }
  } finally {
    await workspace.close()
  }
}

const gridOf = (learningRate: readonly number[]): Partial<ExperimentInput> => ({
  heads: {
    grid: {
      ...{ kind: ['linear', 'mlp'], width: [8], epochs: [2] },
      ...{ learningRate: [...learningRate], l2: [0, 0.001] },
    },
  },
})

const TWO_CUTS: Partial<ExperimentInput> = {
  base: { from: './base', cuts: ['features', 'squashed'] },
  heads: [
    { kind: 'linear', epochs: 2 },
    { kind: 'mlp', width: 8, epochs: 2 },
  ],
}

const predictionsIn = (cwd: string, runId: string, split: string): Promise<Buffer> =>
  readFile(join(cwd, '.headstart/store/runs', runId, `predictions-${split}.arrow`))

const expectReports = async ({ cwd, result }: Ran, runIds: readonly string[]): Promise<void> => {
  for (const id of runIds) expect((await predictionsIn(cwd, id, 'validation')).length).not.toBe(0)
  expect((await predictionsIn(cwd, result.best, 'test')).length).not.toBe(0)
}

describe('features that fit in memory are read once', () => {
  it.each<[string, Partial<ExperimentInput>, number, number]>([
    ['for one head', {}, 1, 1],
    ['for an exact head', { heads: [{ kind: 'linear', optimizer: 'lbfgs', l2: 0.01 }] }, 1, 1],
    ['for eight heads, each with a report', gridOf([0.001, 0.01]), 8, 8],
    ['for sixteen heads, the best with a report', gridOf([0.001, 0.003, 0.01, 0.05]), 16, 1],
    ['for two cuts', TWO_CUTS, 4, 4],
  ])('%s', async (_, input, heads, reports) => {
    const ran = await run(input)
    expect(ran.reads.length).toBeGreaterThan(1)
    expect(ran.reads).toEqual(ran.reads.map(() => 1))
    const ids = ran.result.runs.map(({ id }) => id)
    expect(ids).toHaveLength(heads)
    await expectReports(ran, reports === heads ? ids : [ran.result.best])
    expect(ran.notices.join('\n')).not.toContain('report')
  })

  it('and, of two cuts that do not fit at once, once more for the test split or a report', async () => {
    const ran = await run(TWO_CUTS, ONE_CUT_BYTES)
    expect(Math.max(...ran.reads)).toBe(2)
    await expectReports(
      ran,
      ran.result.runs.map(({ id }) => id),
    )
  })
})

describe('features that are streamed', () => {
  it('are read no more often for eight heads than for one, and give what those in memory give', async () => {
    const [one, eight] = [
      await run({}, STREAMED_BYTES),
      await run(gridOf([0.001, 0.01]), STREAMED_BYTES),
    ]
    expect(Math.min(...one.reads)).toBeGreaterThan(1)
    expect(eight.reads).toEqual(one.reads)
    const resident = await run(gridOf([0.001, 0.01]))
    expect(resident.result.runs).toEqual(eight.result.runs)
    for (const { id } of resident.result.runs)
      expect(await predictionsIn(eight.cwd, id, 'validation')).toEqual(
        await predictionsIn(resident.cwd, id, 'validation'),
      )
  })
})

describe('a report that is written later', () => {
  it('reads each shard once for both splits, and predicts the same', async () => {
    const { cwd, result } = await run({})
    const splits = ['validation', 'test']
    const before = await Promise.all(splits.map((split) => predictionsIn(cwd, result.best, split)))
    for (const split of splits)
      await rm(join(cwd, '.headstart/store/runs', result.best, `predictions-${split}.arrow`))
    const workspace = await openIn(cwd)
    try {
      const { store, reads } = countReads(workspace.store)
      await writeReport({ workspace: { ...workspace, store }, reference: result.best })
      const shards = await keysBelow(workspace.store, 'features/')
      expect(shards.map((key) => reads.get(key))).toEqual(shards.map(() => 1))
    } finally {
      await workspace.close()
    }
    const after = await Promise.all(splits.map((split) => predictionsIn(cwd, result.best, split)))
    expect(after).toEqual(before)
  })
})
