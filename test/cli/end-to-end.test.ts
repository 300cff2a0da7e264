// Whole jobs through the command line, one for each kind of target and input.
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { documentOf, runCli, runJson } from '../support/cli.js'
import {
  DENSE_INPUT,
  denseRows,
  npyOf,
  writeDenseBase,
  writeDenseDataset,
} from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'

interface Metrics {
  kind: string
  samples: number
  accuracy: number
  macroF1: number
  r2: number
  mae: number
}
interface Result {
  featureSet: { id: string; samples: number; computed: number; reused: number; quarantined: number }
  runs: { id: string; trained: boolean; metrics: { train: Metrics; validation: Metrics } }[]
  parity: { samples: number; bitwise: boolean; maxAbsDiff: number }
  seconds: { extract: number; train: number; total: number }
}

let cwd: string

beforeAll(async () => {
  cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 10)
})

const BASE = ['--base', 'base', '--cut', 'pool']
const LEARN = ['--epochs', '80', '--learning-rate', '0.1']

describe('a single-label folder', () => {
  it('is trained from options and from a file as the same run', async () => {
    const options = ['--head', 'mlp', '--width', '8', '--epochs', '4', '--kernel', 'cubic']
    const trained = await runJson<Result>(
      [
        'train',
        ...BASE,
        '--dataset',
        'images',
        ...options,
        '--seed',
        '3',
        '--split',
        '0.6,0.2,0.2',
      ],
      { cwd },
    )
    expect(trained.runs).toMatchObject([{ trained: true }])
    const experiment = {
      base: { from: 'base', cut: 'pool' },
      preprocess: { kernel: 'cubic' },
      dataset: { from: 'images' },
      split: { train: 0.6, validation: 0.2, test: 0.2 },
      heads: [{ kind: 'mlp', width: 8, epochs: 4 }],
      seed: 3,
    }
    await writeFile(join(cwd, 'experiment.json'), JSON.stringify(experiment))
    const again = await runJson<Result>(['run', 'experiment.json'], { cwd })
    expect(again.runs).toEqual(trained.runs.map((run) => ({ ...run, trained: false })))
    expect(again.featureSet).toMatchObject({ id: trained.featureSet.id, computed: 0 })
  })

  it('prints one JSON document on stdout, and progress on stderr', async () => {
    const args = ['train', ...BASE, '--dataset', 'images', '--epochs', '2', '--json']
    const result = await runCli(args, { cwd: await copyOf(cwd) })
    expect(result.code).toBe(0)
    const { featureSet, parity, seconds } = documentOf<Result>(result)
    expect(featureSet).toMatchObject({ samples: 30, computed: 30, reused: 0, quarantined: 0 })
    expect(parity).toEqual({ samples: 30, bitwise: true, maxAbsDiff: 0 })
    expect(Object.keys(seconds)).toEqual(['extract', 'train', 'total'])
    expect(result.stderr).toMatch(/^index: 30\/30/m)
    expect(result.stderr).toMatch(/^extract: 30\/30/m)
    expect(result.stderr).toMatch(/^train: 2\/2.*loss \d/m)
  })

  it('prints a table for people', async () => {
    const result = await runCli(['train', ...BASE, '--dataset', 'images', '--epochs', '2'], { cwd })
    expect(result.code).toBe(0)
    for (const word of ['samples', 'computed', 'reused', 'parity', 'bitwise', 'accuracy'])
      expect(result.stdout).toContain(word)
  })
})

/** Another working directory with the same base and images and no store. */
const copyOf = async (from: string): Promise<string> => {
  const to = await makeFolder()
  for (const name of ['base', 'images'])
    await cp(join(from, name), join(to, name), { recursive: true })
  return to
}

const tableOf = (labelOf: (name: string, i: number) => string): string =>
  [
    'path,label',
    ...['blue', 'green', 'red'].flatMap((name) =>
      Array.from({ length: 10 }, (_, i) => `images/${name}/${i}.png,${labelOf(name, i)}`),
    ),
  ].join('\n')

describe('a table', () => {
  it('of several labels a sample is trained with a sigmoid for each', async () => {
    const several: Record<string, string> = { blue: 'cold|sky', green: 'cold', red: '' }
    await writeFile(
      join(cwd, 'multi.csv'),
      tableOf((name) => several[name] ?? ''),
    )
    const { runs } = await runJson<Result>(
      ['train', ...BASE, '--dataset', 'multi.csv', '--target', 'multi', ...LEARN, '--name', 'tags'],
      { cwd },
    )
    expect(runs[0]?.metrics.train).toMatchObject({ kind: 'multi' })
    expect(runs[0]?.metrics.train.macroF1).toBeGreaterThan(0.95)
    const { predictions } = await runJson<{
      predictions: { labels: { label: string; probability: number }[] }[]
    }>(['predict', 'tags', 'images/blue/1.png', 'images/red/1.png'], { cwd })
    const likely = predictions.map(({ labels }) =>
      labels
        .filter(({ probability }) => probability > 0.5)
        .map(({ label }) => label)
        .sort(),
    )
    expect(likely).toEqual([['cold', 'sky'], []])
  })

  it('of numbers is trained as a regression, in the units of the table', async () => {
    const values: Record<string, string> = { blue: '100|-1', green: '200|0', red: '300|1' }
    await writeFile(
      join(cwd, 'numbers.csv'),
      tableOf((name) => values[name] ?? ''),
    )
    const { runs } = await runJson<Result>(
      ['train', ...BASE, '--dataset', 'numbers.csv', '--target', 'regression', ...LEARN].concat(
        '--name',
        'numbers',
      ),
      { cwd },
    )
    expect(runs[0]?.metrics.train).toMatchObject({ kind: 'regression' })
    expect(runs[0]?.metrics.train.r2).toBeGreaterThan(0.8)
    const { predictions } = await runJson<{
      predictions: { labels: { label: string; value: number }[] }[]
    }>(['predict', 'numbers', 'images/blue/1.png', 'images/red/1.png'], { cwd })
    const [blue, red] = predictions.map(({ labels }) => labels.map(({ value }) => value))
    expect(blue?.[0]).toBeLessThan(red?.[0] ?? 0)
    expect(blue?.[1]).toBeLessThan(red?.[1] ?? 0)
    expect(Math.abs((red?.[0] ?? 0) - 300)).toBeLessThan(60)
  })
})

describe('a tensor dataset', () => {
  it('is trained, verified and predicted on a base that takes no images', async () => {
    const folder = await makeFolder()
    await writeDenseBase(join(folder, 'dense'))
    await writeDenseDataset(folder, 200)
    const { runs, parity } = await runJson<Result>(
      ['train', '--base', 'dense', '--cut', 'features', '--dataset', 'rows.npy'].concat(
        ['--labels', 'labels.csv', '--name', 'signs'],
        LEARN,
      ),
      { cwd: folder },
    )
    expect(parity).toMatchObject({ bitwise: true, maxAbsDiff: 0 })
    expect(runs[0]?.metrics.validation.accuracy).toBeGreaterThan(0.95)
    await writeFile(
      join(folder, 'new.npy'),
      npyOf([4, DENSE_INPUT], denseRows(204).subarray(200 * DENSE_INPUT)),
    )
    const { predictions } = await runJson<{
      predictions: { name: string; labels: { label: string }[] }[]
    }>(['predict', 'signs', 'new.npy'], { cwd: folder })
    expect(predictions.map(({ name, labels }) => [name, labels[0]?.label])).toEqual([
      ['new.npy#row-0', 'plus'],
      ['new.npy#row-1', 'minus'],
      ['new.npy#row-2', 'plus'],
      ['new.npy#row-3', 'minus'],
    ])
    const verified = await runJson<{ samples: number; bitwise: boolean }>(
      ['verify', 'signs', '--samples', '200'],
      { cwd: folder },
    )
    expect(verified).toMatchObject({ samples: 200, bitwise: true })
  })
})

describe('views', () => {
  it('are extracted once each beside the plain samples, and train another run', async () => {
    const args = ['train', ...BASE, '--dataset', 'images', '--views', '3']
    const first = await runJson<Result>([...args, '--epochs', '3'], { cwd })
    // The plain view was there already.
    expect(first.featureSet).toMatchObject({ samples: 30, computed: 60, reused: 30 })
    const second = await runJson<Result>([...args, '--epochs', '4'], { cwd })
    expect(second.featureSet).toMatchObject({ computed: 0, reused: 90 })
    const { featureSets } = await runJson<{ featureSets: { id: string; computed: number }[] }>(
      ['extract', ...BASE, '--dataset', 'images', '--views', '3'],
      { cwd },
    )
    expect(new Set(featureSets.map(({ id }) => id)).size).toBe(3)
    expect(featureSets.map(({ computed }) => computed)).toEqual([0, 0, 0])
    expect(featureSets[0]?.id).toBe(first.featureSet.id)
    const verified = await runJson<{ bitwise: boolean }>(['verify', first.runs[0]?.id ?? ''], {
      cwd,
    })
    expect(verified.bitwise).toBe(true)
  })
})
