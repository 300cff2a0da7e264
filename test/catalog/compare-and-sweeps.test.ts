// Comparing stored runs, and sweeps, from the command line: real runs of a tiny base.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { collectGarbage } from '../../src/catalog/gc.js'
import { removeBase, removeDataset, removeFeatureSet, removeRun } from '../../src/catalog/remove.js'
import { listSweeps } from '../../src/catalog/sweeps.js'
import { addRunsCommand } from '../../src/cli/commands/runs.js'
import { addSweepsCommand } from '../../src/cli/commands/sweeps.js'
import { loadDataset } from '../../src/dataset/save.js'
import { shortId } from '../../src/identity/hash.js'
import { loadPredictions } from '../../src/model/prediction-files.js'
import { predictSplit } from '../../src/model/predictions.js'
import { loadRun, type RunRecord } from '../../src/model/run-record.js'
import { saveSweep } from '../../src/model/sweep-record.js'
import { sweepOf } from '../model/sweeps.js'
import { copyOf, failureOf, type Installation, install, keysOf, runTiny } from './support.js'

const headstart = async (args: readonly string[], storeUrl: string): Promise<string> => {
  const program = new Command('headstart').exitOverride()
  addRunsCommand(program)
  addSweepsCommand(program)
  let stdout = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk)
    return true
  })
  try {
    await program.parseAsync([...args, '--store', storeUrl], { from: 'user' })
  } finally {
    write.mockRestore()
  }
  return stdout
}

let place: Installation
let runs: readonly RunRecord[]
const cli = (...args: string[]): Promise<string> => headstart(args, place.store.url)

beforeAll(async () => {
  place = await install()
  process.chdir(place.folder)
  const split = { train: 0.4, validation: 0.2, test: 0.4 }
  const heads = [
    { kind: 'linear', epochs: 1 },
    { kind: 'mlp', width: 8, epochs: 12, learningRate: 0.05 },
  ]
  const { runs: found } = await runTiny(place, { heads, split })
  runs = await Promise.all(
    found.map(async ({ id }) => {
      const run = await loadRun(place.store, id)
      if (run === null) throw new Error('no run was published')
      return run
    }),
  )
})

const pair = (): [RunRecord, RunRecord] => {
  const [a, b] = runs
  if (a === undefined || b === undefined) throw new Error('two runs are needed')
  return [a, b]
}

describe('predictions on a split', () => {
  it('have a row for every sample of the split and say what the metrics say', async () => {
    const [, run] = pair()
    const dataset = await loadDataset(place.store, run.dataset.datasetId)
    const predictions = await predictSplit({
      store: place.store,
      run,
      dataset,
      split: 'validation',
    })
    if (predictions.kind !== 'single') throw new Error('classes are predicted')
    const { rows } = predictions
    const inSplit = dataset.samples.filter(({ split }) => split === 'validation')
    expect(rows.map(({ key }) => key)).toEqual(inSplit.map(({ key }) => key))
    expect(rows.map(({ actual }) => actual)).toEqual(inSplit.map(({ label }) => label[0]))
    const { validation } = run.metrics
    if (validation?.kind !== 'single') throw new Error('no validation metrics')
    expect(rows.filter(({ right }) => right).length / rows.length).toBeCloseTo(validation.accuracy)
    const loss = rows.reduce((sum, { trueProbability }) => sum - Math.log(trueProbability), 0)
    expect(loss / rows.length).toBeCloseTo(validation.loss, 5)
    // Kept: the next one reads no feature.
    expect(await loadPredictions(place.store, run, 'validation')).toEqual(predictions)
  })
})

describe('runs compare', () => {
  it('says what the test samples say, and that they were read', async () => {
    const [a, b] = pair()
    const said: string[] = []
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      said.push(String(chunk))
      return true
    })
    const compared = JSON.parse(
      await cli('runs', 'compare', a.runId, shortId(b.runId), '--json').finally(() =>
        stderr.mockRestore(),
      ),
    )
    expect(said.join('')).toContain('the test split was read')
    const { bothRight, onlyA, onlyB, bothWrong } = compared.table
    expect(bothRight + onlyA + onlyB + bothWrong).toBe(compared.samples)
    expect(compared.samples).toBe(a.dataset.samples.test)
    expect(compared.values.a).toBeCloseTo((bothRight + onlyA) / compared.samples)
    expect(compared.fields.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['kind', 'width', 'epochs', 'learningRate']),
    )
    const text = await cli('runs', 'compare', a.runId, b.runId)
    expect(text).toMatch(/significant at 0\.05 \(p = /)
    expect(text).toContain("McNemar's exact test")
  })

  it('refuses one run twice, and runs whose features are gone', async () => {
    const [a, b] = pair()
    const same = await failureOf(cli('runs', 'compare', a.runId, shortId(a.runId)))
    expect(same.message).toContain('both are the run')
    const copy = await copyOf(place)
    for (const key of await keysOf(copy.store, 'runs/'))
      if (key.includes('predictions-test')) await copy.store.delete(key)
    await removeFeatureSet(copy.store, a.extractors[0]?.featureSetId ?? '', { force: true })
    const gone = await failureOf(headstart(['runs', 'compare', a.runId, b.runId], copy.store.url))
    expect(gone.code).toBe('NOT_FOUND')
    expect(gone.message).toContain('extract them again')
  })
})

describe('runs ls', () => {
  it('filters, sorts and writes Arrow', async () => {
    const [a, b] = pair()
    const ids = async (...args: string[]): Promise<string[]> =>
      JSON.parse(await cli('runs', 'ls', '--json', ...args)).runs.map(
        ({ id }: { id: string }) => id,
      )
    expect(await ids('--where', 'kind=mlp')).toEqual([b.runId])
    expect(await ids('--sort', 'epochs')).toEqual([b.runId, a.runId])
    expect(await ids('--sort', 'epochs', '--reverse', '--limit', '1')).toEqual([a.runId])
    expect(await cli('runs', 'ls', '--where', 'kind=custom')).toBe('no runs match\n')
    await cli('runs', 'ls', '--arrow', 'runs.arrow')
    const bytes = await readFile(join(place.folder, 'runs.arrow'))
    expect(bytes.subarray(0, 6).toString()).toBe('ARROW1')
    const error = await failureOf(cli('runs', 'ls', '--sort', 'speed'))
    expect(error.code).toBe('REQUEST_INVALID')
  })
})

describe('sweeps', () => {
  it('are listed, shown, narrow the runs, keep what they need, and go alone', async () => {
    const own = await copyOf(place)
    const { store } = own
    const [a, b] = pair()
    // What the experiment itself left is not what this is about.
    for (const key of await keysOf(store, 'sweeps/')) await store.delete(key)
    const record = sweepOf()
    const sweep = await saveSweep(store, {
      ...record,
      dataset: { datasetId: a.dataset.datasetId, contentId: a.dataset.contentId },
      base: a.base,
      heads: record.heads.map((head, i) => (i === 1 ? { ...head, runId: b.runId } : head)),
      best: { ...record.best, runId: b.runId },
    })
    const id = shortId(sweep.sweepId)
    const ask = (...args: string[]) => headstart(args, store.url)
    expect(await ask('sweeps', 'ls')).toMatch(
      new RegExp(`^${id}.*2 trained, 1 pruned, 1 diverged`, 'm'),
    )
    const shown = await ask('sweeps', 'show', id)
    expect(shown).toContain('validation accuracy, the higher the better')
    expect(shown).toMatch(/^1 .*0\.750.*0\.625 \+- 0\.125$/m)
    expect(JSON.parse(await ask('sweeps', 'show', id, '--json')).sweep).toEqual(sweep)
    const narrowed = JSON.parse(await ask('runs', 'ls', '--sweep', id, '--json'))
    expect(narrowed.runs.map((run: { id: string }) => run.id)).toEqual([b.runId])
    expect((await failureOf(ask('runs', 'ls', '--sweep', 'ffffff'))).code).toBe('NOT_FOUND')

    for (const run of runs) await removeRun(store, run.runId)
    const set = a.extractors[0]?.featureSetId ?? ''
    await removeFeatureSet(store, set)
    const limits = { dryRun: false, graceMs: 0, now: Date.now() + 1e9 }
    await collectGarbage({ store, ...limits })
    const kept = await keysOf(store)
    for (const key of [
      `datasets/${a.dataset.datasetId}/dataset.json`,
      `bases/${a.base.id}/base.json`,
    ])
      expect(kept).toContain(key)
    for (const remove of [
      () => removeDataset(store, a.dataset.datasetId),
      () => removeBase(store, a.base.id),
    ])
      expect((await failureOf(remove())).details.join()).toContain(`the sweep ${id}`)

    expect(await ask('sweeps', 'rm', id)).toContain('removed the sweep')
    expect((await listSweeps(store)).items).toEqual([])
    await collectGarbage({ store, ...limits })
    expect((await keysOf(store)).filter((key) => /^(datasets|bases|sweeps)\//.test(key))).toEqual(
      [],
    )
  })

  it('that are damaged are named, and nothing is collected', async () => {
    const { store } = await copyOf(place)
    const key = `sweeps/${sweepOf().sweepId}/sweep.json`
    await store.putIfAbsent(key, Buffer.from('{}'))
    expect((await listSweeps(store)).damaged).toMatchObject([{ key }])
    const error = await failureOf(
      collectGarbage({ store, dryRun: false, graceMs: 0, now: Date.now() + 1e9 }),
    )
    expect(error.code).toBe('STORE_CORRUPT')
  })
})
