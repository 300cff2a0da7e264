// Owns made-up records of sweeps, complete and valid.
import { sha256 } from '../../src/identity/hash.js'
import { type SweepRecord, sweepRecordSchema } from '../../src/model/sweep-record.js'
import { SINGLE } from './records.js'

const head = (l2: number) => ({
  head: { kind: 'linear', optimizer: 'adam', learningRate: 0.001, epochs: 2, l2 },
  cut: 'pool',
  pooling: 'avg' as const,
  views: 1,
  epochs: 2,
  folds: [0.5, 0.75],
  validation: SINGLE,
})

export const sweepOf = (changes: Partial<SweepRecord> = {}): SweepRecord =>
  sweepRecordSchema.parse({
    version: 1,
    sweepId: sha256('sweep'),
    createdAt: '2026-01-02T03:04:05.678Z',
    dataset: { datasetId: sha256('dataset'), contentId: sha256('content') },
    base: { id: sha256('base'), from: 'mobilenet' },
    select: { metric: 'accuracy', higherIsBetter: true },
    folds: 2,
    halving: { epochs: 1, factor: 2 },
    heads: [
      { ...head(0), state: 'trained', runId: sha256('run 0'), value: 0.5 },
      { ...head(0.1), state: 'trained', runId: sha256('run 1'), value: 0.75 },
      { ...head(0.2), state: 'pruned', runId: null, value: 0.25, message: 'after 1 epoch' },
      { ...head(1), state: 'diverged', runId: null, value: null, validation: null, folds: null },
    ],
    best: { index: 1, runId: sha256('run 1'), test: SINGLE },
    ...changes,
  })
