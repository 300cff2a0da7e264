// Sweeps in one process, from the experiment to the published best: what is trained, what is read, what
// is written, and what is refused before any work.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runExperiment } from '../../src/experiment/run.js'
import { type ExperimentInput, parseExperiment } from '../../src/experiment/schema.js'
import { loadRun } from '../../src/model/run-record.js'
import { loadSweep } from '../../src/model/sweep-record.js'
import { failureOf } from '../dataset/support.js'
import { denseLabels, denseRows, npyOf, writeDenseBase } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { writeFiles } from '../support/tiny-images.js'
import { openIn, runIn } from './experiments.js'
import { stateOf } from './state.js'

const ROWS = 600
const WIDTH = 6

let cwd: string
beforeAll(async () => {
  cwd = await makeFolder()
  await writeDenseBase(join(cwd, 'base'))
  await writeFiles(cwd, {
    'rows.npy': npyOf([ROWS, WIDTH], denseRows(ROWS)),
    'labels.csv': denseLabels(ROWS),
  })
})

const experiment = (rest: Partial<ExperimentInput>): ExperimentInput => ({
  base: { from: './base', cut: 'features' },
  dataset: { from: './rows.npy', labels: './labels.csv' },
  heads: [{ kind: 'linear', epochs: 2 }],
  ...rest,
})

const withStore = async <T>(
  work: (store: Awaited<ReturnType<typeof openIn>>['store']) => Promise<T>,
): Promise<T> => {
  const workspace = await openIn(cwd)
  try {
    return await work(workspace.store)
  } finally {
    await workspace.close()
  }
}

/** Each step multiplies the weights by about -20,000. */
const DIVERGING = {
  kind: 'linear',
  optimizer: 'sgd',
  learningRate: 100,
  l2: 100,
  epochs: 30,
} as const

const GRID = {
  grid: { kind: ['linear', 'mlp'], width: [8], learningRate: [0.001, 0.05], epochs: [3] },
} as const

describe('a sweep', () => {
  it('lists every head, reads the test split for the best alone, and is found again', async () => {
    const heads = GRID as unknown as ExperimentInput['heads']
    const result = await runIn(cwd, experiment({ heads, name: 'swept' }))
    expect(result.runs).toHaveLength(4)
    expect(result.sweep.heads.map(({ state }) => state)).toEqual(new Array(4).fill('trained'))
    const tested = result.runs.filter(({ metrics }) => metrics.test !== undefined)
    expect(tested.map(({ id }) => id)).toEqual([result.best])
    const values = result.sweep.heads.map(({ value }) => value ?? 0)
    const best = result.sweep.heads.findIndex(({ runId }) => runId === result.best)
    expect(values[best]).toBe(Math.max(...values))
    await withStore(async (store) => {
      const sweep = await loadSweep(store, result.sweep.id)
      expect(sweep?.best).toMatchObject({ index: best, runId: result.best })
      expect(sweep?.best.test).toEqual((await loadRun(store, result.best))?.metrics.test)
    })

    const again = await runIn(cwd, experiment({ heads, name: 'swept' }))
    expect(again.sweep).toEqual(result.sweep)
    expect(again.runs.every(({ trained }) => !trained)).toBe(true)
    expect(again.featureSet).toMatchObject({ computed: 0, reused: ROWS })
  })

  it('trains each head to what it comes to alone', async () => {
    const heads = GRID as unknown as ExperimentInput['heads']
    const together = await runIn(cwd, experiment({ heads }))
    const other = await makeFolder()
    await writeDenseBase(join(other, 'base'))
    await writeFiles(other, {
      'rows.npy': npyOf([ROWS, WIDTH], denseRows(ROWS)),
      'labels.csv': denseLabels(ROWS),
    })
    for (const run of together.runs) {
      const head = run.head as NonNullable<ExperimentInput['heads']> extends readonly (infer H)[]
        ? H
        : never
      const alone = await runIn(other, experiment({ heads: [head] }))
      expect(alone.runs[0]?.id).toBe(run.id)
      const [a, b] = [alone.runs[0]?.metrics.validation, run.metrics.validation]
      expect(Math.abs((a?.loss ?? 0) - (b?.loss ?? 1))).toBeLessThan(1e-4)
    }
  })

  it('trains exact and first-order heads beside each other, with folds of the train split', async () => {
    const result = await runIn(
      cwd,
      experiment({
        folds: 3,
        select: 'loss',
        heads: [
          { kind: 'linear', optimizer: 'lbfgs', l2: 0.01 },
          { kind: 'linear', epochs: 3, learningRate: 0.05 },
        ],
      }),
    )
    for (const { folds, value } of result.sweep.heads) {
      expect(folds).toHaveLength(3)
      const mean = (folds ?? []).reduce((sum, fold) => sum + fold, 0) / 3
      expect(value).toBeCloseTo(mean, 12)
    }
    const losses = result.sweep.heads.map(({ value }) => value ?? Number.POSITIVE_INFINITY)
    const best = result.sweep.heads.findIndex(({ runId }) => runId === result.best)
    expect(losses[best]).toBe(Math.min(...losses))
  })

  it('prunes heads that are behind, and names them', async () => {
    const result = await runIn(
      cwd,
      experiment({
        halving: { epochs: 1, factor: 2 },
        heads: { grid: { kind: 'linear', learningRate: [1e-5, 1e-4, 0.01, 0.1], epochs: 4 } },
      }),
    )
    const states = result.sweep.heads.map(({ state }) => state)
    expect(states.filter((state) => state === 'trained')).toHaveLength(1)
    expect(states.filter((state) => state === 'pruned')).toHaveLength(3)
    expect(result.runs).toHaveLength(1)
    const pruned = result.sweep.heads.filter(({ state }) => state === 'pruned')
    for (const head of pruned) {
      expect(head).toMatchObject({ runId: null, value: null })
      expect(head.history).toHaveLength(head.epochs)
    }
  })

  it('goes on when a head diverges, and says so', async () => {
    const result = await runIn(
      cwd,
      experiment({
        seed: 3,
        heads: [{ kind: 'linear', epochs: 3 }, DIVERGING],
      }),
    )
    expect(result.sweep.heads.map(({ state }) => state)).toEqual(['trained', 'diverged'])
    expect(result.best).toBe(result.runs[0]?.id)
    expect(result.notices.join('\n')).toContain('diverged')
  })

  it('fails when every head diverges', async () => {
    const failure = await failureOf(runIn(cwd, experiment({ seed: 4, heads: [DIVERGING] })))
    expect(failure.code).toBe('HEAD_DIVERGED')
  })

  it('writes pages that need no network, and data beside them', async () => {
    const heads = [
      { kind: 'linear', epochs: 2 },
      { kind: 'linear', epochs: 3 },
    ] as const
    const result = await runIn(cwd, experiment({ seed: 5, heads }))
    const store = join(cwd, '.headstart/store')
    for (const folder of [
      `sweeps/${result.sweep.id}`,
      ...result.runs.map(({ id }) => `runs/${id}`),
    ]) {
      const page = await readFile(join(store, folder, 'report.html'), 'utf8')
      expect(page).toMatch(/Content-Security-Policy[^>]+default-src/)
      const data = JSON.parse(await readFile(join(store, folder, 'report.json'), 'utf8'))
      expect(data).toMatchObject({ kind: folder.startsWith('runs') ? 'run' : 'sweep' })
    }
    expect(existsSync(join(store, `runs/${result.best}/predictions-test.arrow`))).toBe(true)
    const other = result.runs.find(({ id }) => id !== result.best)?.id
    expect(existsSync(join(store, `runs/${other}/predictions-test.arrow`))).toBe(false)
  })
})

describe('a sweep that is interrupted', () => {
  it('between two passes goes on in the second one, and ends with the same weights', async () => {
    const make = async (): Promise<string> => {
      const folder = await makeFolder()
      await writeDenseBase(join(folder, 'base'), true)
      await writeFiles(folder, {
        'rows.npy': npyOf([ROWS, WIDTH], denseRows(ROWS)),
        'labels.csv': denseLabels(ROWS),
      })
      return folder
    }
    const input = experiment({
      base: { from: './base', cuts: ['features', 'squashed'] },
      heads: [
        { kind: 'linear', epochs: 4 },
        { kind: 'mlp', width: 8, epochs: 4, dropout: 0.2 },
      ],
    })
    const [whole, broken] = [await make(), await make()]
    const expected = await runIn(whole, input)
    const workspace = await openIn(broken)
    const controller = new AbortController()
    const failure = await failureOf(
      runExperiment({
        workspace,
        experiment: parseExperiment(input),
        folder: broken,
        signal: controller.signal,
        events: {
          onEpoch: (_, { done }) => {
            // Eight head-epochs are those of the first cut.
            if (done === 11) controller.abort()
          },
        },
      }),
    )
    await workspace.close()
    expect(failure.code).toBe('INTERRUPTED')
    const result = await runIn(broken, input)
    expect(result.runs.map(({ id, metrics }) => ({ id, metrics }))).toEqual(
      expected.runs.map(({ id, metrics }) => ({ id, metrics })),
    )
    const weights = async (cwd: string) =>
      (await stateOf(cwd)).heads.map(({ artifacts }) => artifacts?.weights.sha256)
    expect(await weights(broken)).toEqual(await weights(whole))
    expect(existsSync(join(broken, '.headstart/cache/checkpoints', result.sweep.id))).toBe(false)
  })
})

describe('one head', () => {
  it('is no sweep: it leaves no record that would hold its base and dataset', async () => {
    const result = await runIn(cwd, experiment({ seed: 6 }))
    expect(result.sweep.heads).toHaveLength(1)
    expect(result.runs[0]?.metrics.test).toBeDefined()
    expect(existsSync(join(cwd, `.headstart/store/sweeps/${result.sweep.id}`))).toBe(false)
  })
})

describe('a bad sweep is refused before any work', () => {
  const values = (count: number) => Array.from({ length: count }, (_, index) => (index + 1) / 1e4)
  it.each<[string, Partial<ExperimentInput>, RegExp]>([
    ['an empty grid', { heads: { grid: { kind: 'linear', learningRate: [] } } }, /learningRate/],
    [
      'a million combinations',
      {
        heads: {
          grid: {
            kind: 'linear',
            learningRate: values(100),
            l2: values(100),
            dropout: values(100),
          },
        },
      },
      /1,000,000 combinations/,
    ],
    ['a metric of another task', { select: 'r2' }, /r2 cannot be measured/],
    ['more folds than the smallest class has samples', { folds: 20 }, /folds/],
    [
      'halving without a validation split',
      {
        split: { train: 1, validation: 0, test: 0 },
        halving: { epochs: 1, factor: 2 },
      },
      /halving/,
    ],
  ])('%s', async (_, rest, message) => {
    const fresh = await makeFolder()
    await writeDenseBase(join(fresh, 'base'))
    await writeFiles(fresh, {
      'rows.npy': npyOf([30, WIDTH], denseRows(30)),
      'labels.csv': denseLabels(30),
    })
    const failure = await failureOf(Promise.resolve().then(() => runIn(fresh, experiment(rest))))
    expect(failure.code).toBe('REQUEST_INVALID')
    expect([failure.message, ...failure.details].join('\n')).toMatch(message)
    expect(existsSync(join(fresh, '.headstart/store/features'))).toBe(false)
  })
})
