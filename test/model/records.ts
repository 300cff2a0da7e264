// Owns made-up run records, complete and valid, for tests that need no training.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type RunRecord, runRecordSchema } from '../../src/model/run-record.js'
import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/port.js'
import { makeFolder } from '../dataset/support.js'

export const fileStore = async (): Promise<Store> =>
  openStore({ url: pathToFileURL(join(await makeFolder(), 'store')).href })

const hash = (digit: string) => digit.repeat(64)
const file = { key: `runs/${hash('1')}/head/x.bin`, bytes: 4, sha256: hash('2') }

type Metrics = NonNullable<RunRecord['metrics']['test']>

export const SINGLE: Metrics = {
  kind: 'single',
  samples: 40,
  loss: 0.5,
  accuracy: 0.75,
  top5Accuracy: 1,
  macroF1: 0.7,
  perClass: [
    { name: 'a|b', precision: 0.8, recall: 0.7, f1: 0.75, support: 35 },
    { name: 'c_d', precision: 0.6, recall: 0.7, f1: 0.65, support: 5 },
  ],
  confusion: [
    [25, 10],
    [1, 4],
  ],
}

export const recordOf = (changes: Partial<RunRecord> = {}): RunRecord =>
  runRecordSchema.parse({
    version: 1,
    runId: hash('1'),
    createdAt: '2026-01-02T03:04:05.678Z',
    base: { id: hash('3'), from: './mobilenet_v2' },
    extractors: [{ extractorId: hash('4'), featureSetId: hash('5'), view: { kind: 'plain' } }],
    extractor: {
      version: 1,
      base: { id: hash('3'), format: 'layers-model' },
      cut: 'flatten_1',
      pooling: 'avg',
      input: {
        kind: 'image',
        size: [20, 30],
        fit: 'cover',
        kernel: 'lanczos3',
        background: [1, 2, 3],
        channels: 'bgr',
        scale: [1, 1, 1],
        offset: [-103.939, -116.779, -123.68],
      },
      view: { kind: 'plain' },
      engine: 'wasm',
      precision: 'fp32',
      fixedBatch: null,
      featureShape: [8],
    },
    dataset: {
      datasetId: hash('6'),
      contentId: hash('7'),
      from: './images',
      samples: { train: 300, validation: 40, test: 40 },
      quarantined: 2,
    },
    target: { kind: 'single', classes: ['a|b', 'c_d'] },
    head: { kind: 'linear', epochs: 10 },
    seed: 1,
    metrics: { train: SINGLE, validation: SINGLE, test: SINGLE },
    history: [1, 2].map((epoch) => ({
      epoch,
      train: { loss: 1, score: 0.5 },
      validation: { loss: 1, score: 0.5 },
    })),
    bestEpoch: 2,
    stoppedEarly: false,
    parity: {
      samples: 32,
      bitwise: true,
      maxAbsDiff: 0,
      tolerance: 0,
      engine: { engine: 'wasm', version: 'tfjs 4.22.0', device: 'cpu (wasm simd)' },
    },
    versions: { headstart: '0.1.0', node: 'v20' },
    seconds: { train: 1.5 },
    artifacts: { topology: file, weights: file },
    ...changes,
  })
