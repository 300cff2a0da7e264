// The training task of a stage process: what it opened stays for the next training, and is given up after a
// failure.
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { runExperiment } from '../../src/experiment/run.js'
import { parseExperiment } from '../../src/experiment/schema.js'
import type { Workspace } from '../../src/experiment/workspace.js'
import { loadRun, type RunRecord } from '../../src/model/run-record.js'
import { PAYLOAD_VERSION, type TrainingPayload } from '../../src/queue/jobs.js'
import { createTrainingStage } from '../../src/queue/stage-training.js'
import { failureOf } from '../dataset/support.js'
import { countReads } from '../experiment/counted-store.js'
import { specOf } from '../head/synthetic.js'
import { openIn } from '../integration/experiments.js'
import { writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'

let cwd: string
let run: RunRecord
const inWorkspace = async <T>(work: (workspace: Workspace) => Promise<T>): Promise<T> => {
  const workspace = await openIn(cwd)
  try {
    return await work(workspace)
  } finally {
    await workspace.close()
  }
}

beforeAll(async () => {
  cwd = await makeFolder()
  await writeDenseBase(join(cwd, 'base'))
  await writeDenseDataset(cwd, 6000)
  await inWorkspace(async (workspace) => {
    const experiment = parseExperiment({
      base: { from: './base', cut: 'features' },
      dataset: { from: './rows.npy', labels: './labels.csv' },
      heads: [{ kind: 'linear', epochs: 1 }],
    })
    const { best } = await runExperiment({ workspace, experiment, folder: cwd })
    run = (await loadRun(workspace.store, best)) as RunRecord
  })
})

const payloadOf = (epochs: number): TrainingPayload => ({
  version: PAYLOAD_VERSION,
  datasetId: run.dataset.datasetId,
  content: run.dataset.from,
  base: './base',
  cuts: [
    {
      ...{ cut: 'features', pooling: 'none' },
      extractorIds: run.extractors.map(({ extractorId }) => extractorId),
    },
  ],
  maxQuarantine: 0,
  candidates: [{ cut: 0, views: 1, head: specOf({ kind: 'linear', epochs }) }],
  select: { metric: 'accuracy', higherIsBetter: true },
  folds: null,
  halving: null,
  seed: 1,
})

it('reads each shard once for trainings that follow each other, until one of them fails', async () => {
  await inWorkspace(async (workspace) => {
    const { store, reads } = countReads(workspace.store)
    const train = createTrainingStage({ ...workspace, store }, () => undefined)
    const runTask = (epochs: number, signal = new AbortController().signal) =>
      train({ kind: 'training', payload: payloadOf(epochs) }, { signal, onProgress: () => {} })
    const counts = (): Set<number> => new Set(reads.values())
    const results = [await runTask(2), await runTask(3)]
    expect(results.map(({ runs }) => runs.map(({ trained }) => trained))).toEqual([[true], [true]])
    expect(reads.size).toBeGreaterThan(1)
    expect(counts()).toEqual(new Set([1]))
    for (const { best } of results) {
      const page = await workspace.store.head(`runs/${best}/report.html`)
      expect(page).not.toBeNull()
      expect((await loadRun(workspace.store, best))?.metrics.test).toBeDefined()
    }
    const failure = await failureOf(runTask(4, AbortSignal.abort()))
    expect(failure.code).toBe('INTERRUPTED')
    await runTask(4)
    expect(counts()).toEqual(new Set([2]))
  })
})
