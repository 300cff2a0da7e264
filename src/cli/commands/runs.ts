// Owns `headstart runs`: trained heads, newest first, with what they reached.
import type { Command } from 'commander'
import { type KeyMetrics, keyMetricsOf, listRuns, type RunSummary } from '../../catalog/list.js'
import { removeRun } from '../../catalog/remove.js'
import { type ShownRun, showRun } from '../../catalog/show.js'
import { shortId } from '../../identity/hash.js'
import type { RunRecord } from '../../model/run-record.js'
import { addCatalogCommand, joinIds, joinNames } from '../catalog-command.js'
import { describeHead } from '../metrics-text.js'
import { bytes, fraction, seconds, table } from '../tables.js'

const SPLITS = ['train', 'validation', 'test'] as const

const scoreName = (metrics: KeyMetrics | null): string =>
  metrics?.kind === 'regression' ? 'R2' : 'accuracy'

/** Minutes, in UTC: the list is for finding a run, JSON has the exact time. */
const minuteOf = (createdAt: string): string => createdAt.slice(0, 16).replace('T', ' ')

const runRow = ({ id, names, createdAt, base, head, metrics }: RunSummary): string[] => [
  shortId(id),
  joinNames(names),
  minuteOf(createdAt),
  base.cut,
  describeHead(head),
  scoreName(metrics.train),
  ...SPLITS.map((split) => fraction(metrics[split]?.score)),
]

const drawRuns = (items: readonly RunSummary[]): string =>
  table(items.map(runRow), ['run', 'names', 'created (UTC)', 'cut', 'head', 'score', ...SPLITS])

const drawMetrics = (run: RunRecord): string => {
  const rows = SPLITS.flatMap((split) => {
    const metrics = keyMetricsOf(run.metrics[split])
    if (metrics === null) return []
    return [[split, String(metrics.samples), fraction(metrics.loss), fraction(metrics.score)]]
  })
  return table(rows, ['split', 'samples', 'loss', scoreName(keyMetricsOf(run.metrics.train))])
}

/** Per class on the split that says most: test, else validation, else train. */
const drawClasses = ({ metrics }: RunRecord): string => {
  const split = SPLITS.findLast((name) => metrics[name] !== undefined)
  const chosen = split === undefined ? undefined : metrics[split]
  if (chosen === undefined) return ''
  const rows =
    chosen.kind === 'regression'
      ? chosen.perOutput.map((o) => [o.name, fraction(o.mae), fraction(o.rmse), fraction(o.r2)])
      : chosen.perClass.map(({ name, precision, recall, f1, support }) => [
          ...[name, fraction(precision), fraction(recall), fraction(f1)],
          String(support),
        ])
  const head =
    chosen.kind === 'regression'
      ? [`output (${split})`, 'MAE', 'RMSE', 'R2']
      : [`class (${split})`, 'precision', 'recall', 'F1', 'samples']
  return table(rows, head)
}

const drawRun = ({ run, names, bytes: size }: ShownRun): string => {
  const { base, extractor, dataset, parity, versions } = run
  const facts = table([
    ['run', run.runId],
    ['names', joinNames(names)],
    ['created', run.createdAt],
    ['base', `${shortId(base.id)} (${base.from}), cut ${extractor.cut}`],
    ['engine', `${extractor.engine}; ${parity.engine.version} on ${parity.engine.device}`],
    ['dataset', `${shortId(dataset.datasetId)} (${dataset.from})`],
    ['quarantined', String(dataset.quarantined)],
    ['feature sets', joinIds(run.extractors.map(({ featureSetId }) => featureSetId))],
    ['head', `${describeHead(run.head)}, seed ${run.seed}`],
    [
      'epochs',
      `${run.history.length}, best ${run.bestEpoch}${run.stoppedEarly ? ', stopped early' : ''}, ${seconds(run.seconds.train)}`,
    ],
    [
      'parity',
      `${parity.bitwise ? 'bitwise' : 'within tolerance'} on ${parity.samples} samples, max difference ${parity.maxAbsDiff}`,
    ],
    ['size', bytes(size)],
    [
      'versions',
      Object.entries(versions)
        .map((entry) => entry.join(' '))
        .join(', '),
    ],
  ])
  return [facts, drawMetrics(run), drawClasses(run)].filter((part) => part !== '').join('\n\n')
}

export const addRunsCommand = (program: Command): void =>
  addCatalogCommand(program, {
    command: 'runs',
    noun: 'run',
    description: 'list, show and remove trained runs',
    reference: 'name, id, or the first 6 or more characters of an id',
    example: 'pets-v1',
    list: listRuns,
    drawList: drawRuns,
    show: showRun,
    drawShown: drawRun,
    rm: { canForce: false, remove: removeRun },
  })
