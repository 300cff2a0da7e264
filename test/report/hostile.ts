// Owns reports in which everything that comes from outside is an attack, and reports as large as they get.
import { sha256 } from '../../src/identity/hash.js'
import type {
  ClassPrediction,
  QuarantinedSample,
  RunReport,
  SweepReport,
} from '../../src/report/types.js'
import { recordOf } from '../model/records.js'
import { HOSTILE } from './support.js'
import { sweepOf } from './sweeps.js'

type Metrics = NonNullable<ReturnType<typeof recordOf>['metrics']['test']>

const nameAt = (index: number): string => HOSTILE[index % HOSTILE.length] ?? ''

/** Metrics of classes that are mostly right, each sometimes taken for the next one. */
const metricsOfClasses = (classes: readonly string[]): Metrics => ({
  kind: 'single',
  samples: 10 * classes.length,
  loss: 0.9,
  accuracy: 0.8,
  top5Accuracy: 0.97,
  macroF1: 0.8,
  perClass: classes.map((name, i) => ({
    name,
    precision: 0.8,
    recall: (i % 10) / 10,
    f1: 0.7,
    support: 10,
  })),
  confusion: classes.map((_, actual) =>
    classes.map((_, predicted) =>
      predicted === actual ? 8 : predicted === (actual + 1) % classes.length ? 2 : 0,
    ),
  ),
})

const predictionsOfClasses = (classes: number, count: number): ClassPrediction[] =>
  Array.from({ length: count }, (_, i) => ({
    kind: 'single',
    key: sha256(`sample ${i}`),
    name: nameAt(i),
    actual: i % classes,
    predicted: i % 3 === 0 ? (i + 1) % classes : i % classes,
    right: i % 3 !== 0 || classes === 1,
    confidence: (1 + (i % 97)) / 98,
    trueProbability: i % 3 === 0 ? 0.01 : (1 + (i % 97)) / 98,
  }))

const quarantined = (count: number): QuarantinedSample[] =>
  Array.from({ length: count }, (_, i) => ({ name: nameAt(i), reason: nameAt(i + 1) }))

/** A run over `classes` with samples of hostile names. */
export const runOfClasses = (classes: readonly string[], epochs: number): RunReport => {
  const metrics = metricsOfClasses(classes)
  const predictions = predictionsOfClasses(classes.length, 10 * classes.length)
  const record = recordOf({
    target: { kind: 'single', classes: [...classes] },
    metrics: { train: metrics, validation: metrics, test: metrics },
    history: Array.from({ length: epochs }, (_, i) => ({
      epoch: i + 1,
      train: { loss: 2 / (i + 1), score: 1 - 1 / (i + 2) },
      validation: { loss: 2.2 / (i + 1), score: 1 - 1.2 / (i + 2) },
    })),
    bestEpoch: epochs,
    head: { kind: 'custom', topology: { config: 'y'.repeat(1_000_000) } },
  })
  return {
    kind: 'run',
    run: record,
    predictions: { validation: predictions, test: predictions },
    thumbnails: {},
    quarantine: quarantined(5000),
    notes: Array.from({ length: 500 }, (_, i) => nameAt(i)),
  }
}

/** Every text from outside is an attack, the thumbnails too. */
export const hostileRun = (): RunReport => {
  const report = runOfClasses([...HOSTILE], 4)
  const { run, predictions } = report
  const uris = [
    'javascript:alert(5)',
    'https://example.com/spy.png',
    'data:text/html;base64,PHNjcmlwdD4=',
    'data:image/jpeg;base64,AAAA" onerror="alert(6)',
    'data:image/svg+xml;base64,PHN2Zy8+',
  ]
  const shown = (predictions.test ?? []).map(({ key }, i): [string, string] => [
    key,
    uris[i % uris.length] ?? '',
  ])
  return {
    ...report,
    run: {
      ...run,
      base: { ...run.base, from: `./bases/${nameAt(0)}` },
      dataset: { ...run.dataset, from: `s3://user:secret@bucket/${nameAt(2)}` },
      extractor: { ...run.extractor, cut: nameAt(1) },
      versions: Object.fromEntries(HOSTILE.map((name, i) => [name, nameAt(i + 3)])),
      head: { kind: nameAt(0), note: nameAt(5) },
      parity: {
        ...run.parity,
        bitwise: false,
        maxAbsDiff: 1e-6,
        tolerance: 1e-3,
        engine: { engine: 'wasm', version: nameAt(0), device: nameAt(1) },
      },
    },
    thumbnails: Object.fromEntries(shown),
  }
}

/** A confusion matrix with cells of 0 %, 5 %, ... 100 % of their row. */
export const shadesRun = (): RunReport => {
  const classes = Array.from({ length: 20 }, (_, i) => `shade ${i}`)
  const report = runOfClasses(classes, 1)
  const confusion = classes.map((_, i) =>
    classes.map((__, j) => (j === i ? 100 - 5 * i : j === (i + 1) % 20 ? 5 * i : 0)),
  )
  const metrics = { ...metricsOfClasses(classes), confusion } as Metrics
  return { ...report, run: { ...report.run, metrics: { test: metrics } } }
}

export const hostileSweep = (): SweepReport => {
  const sweep = sweepOf(24)
  const heads = sweep.heads.map((head, i) => ({
    ...head,
    label: `${nameAt(i)} ${i}`,
    cut: nameAt(i),
    pooling: nameAt(i + 1),
    reportHref: [
      'javascript:alert(7)',
      '//example.com/x',
      'https://example.com',
      '" onclick="alert(8)',
    ][i % 4] as string,
  }))
  return {
    ...sweep,
    heads,
    best: sweep.best === null ? null : { ...sweep.best, label: heads[0]?.label ?? '' },
    select: { metric: nameAt(0), higherIsBetter: true },
    plan: nameAt(1),
    base: { ...sweep.base, from: nameAt(0) },
    dataset: { ...sweep.dataset, from: nameAt(2) },
    versions: Object.fromEntries(HOSTILE.map((name) => [name, name])),
    notes: [...HOSTILE],
  }
}
