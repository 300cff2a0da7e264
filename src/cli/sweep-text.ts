// Owns how the heads of an experiment are shown: each with what differs, its metrics and how it ended.
import type { ExperimentResult } from '../experiment/result.js'
import { shortId } from '../identity/hash.js'
import type { SweepHead } from '../model/sweep-record.js'
import { describeHead, metricCells, metricHead } from './metrics-text.js'
import { fraction, table } from './tables.js'

/** More heads than this are shown by rank. */
const MAX_ALL = 20
const MAX_RANKED = 10

/** Mean and standard deviation over folds. */
const foldCell = ({ folds }: SweepHead): string => {
  if (folds === null || folds.length === 0) return '-'
  const mean = folds.reduce((sum, value) => sum + value, 0) / folds.length
  const variance = folds.reduce((sum, value) => sum + (value - mean) ** 2, 0) / folds.length
  return `${mean.toFixed(3)} +- ${Math.sqrt(variance).toFixed(3)}`
}

const ranked = ({ sweep }: ExperimentResult): readonly SweepHead[] => {
  if (sweep.heads.length <= MAX_ALL) return sweep.heads
  const sign = sweep.select.higherIsBetter ? -1 : 1
  return sweep.heads
    .filter(({ state, value }) => state === 'trained' && value !== null)
    .sort((a, b) => sign * ((a.value ?? 0) - (b.value ?? 0)))
    .slice(0, MAX_RANKED)
}

const stateOf = (head: SweepHead, trained: boolean): string => {
  if (head.state === 'pruned') return `pruned after ${head.epochs} epochs`
  if (head.state === 'diverged') return 'diverged'
  return trained ? 'trained' : 'existed'
}

/** Fields of a head that its short description does not tell. */
const UNTOLD = [
  'l2',
  'weightDecay',
  'dropout',
  'labelSmoothing',
  'batchSize',
  'momentum',
  'classWeights',
]

/** The short description, and what else differs between the heads. */
const createDescriber = (heads: readonly SweepHead[]): ((head: SweepHead) => string) => {
  const fieldOf = ({ head }: SweepHead, name: string): string =>
    JSON.stringify((head as Record<string, unknown>)[name] ?? null)
  const varying = UNTOLD.filter(
    (name) => new Set(heads.map((head) => fieldOf(head, name))).size > 1,
  )
  return (head) =>
    [
      describeHead(head.head),
      ...varying
        .filter((name) => fieldOf(head, name) !== 'null')
        .map((name) => `${name} ${fieldOf(head, name)}`),
    ].join(' ')
}

/** Every head, or the best of many; a line on the others. */
export const describeHeads = (result: ExperimentResult): string => {
  const { runs, best, sweep } = result
  const runOf = new Map(runs.map((run) => [run.id, run]))
  const shown = ranked(result)
  const places = new Set(sweep.heads.map(({ cut, pooling }) => `${cut} ${pooling}`))
  const viewCounts = new Set(sweep.heads.map(({ views }) => views))
  const describe = createDescriber(sweep.heads)
  const hasFolds = sweep.heads.some(({ folds }) => folds !== null)
  const { metric } = sweep.select
  const isUsual = metric === 'accuracy' || metric === 'r2'
  const rows = shown.map((head) => {
    const run = head.runId === null ? undefined : runOf.get(head.runId)
    const isBest = head.runId === best && sweep.heads.length > 1
    return [
      head.runId === null ? '-' : `${shortId(head.runId)}${isBest ? ' (best)' : ''}`,
      describe(head),
      ...(places.size > 1 ? [`${head.cut} ${head.pooling}`] : []),
      ...(viewCounts.size > 1 ? [String(head.views)] : []),
      ...(isUsual ? [] : [fraction(head.value ?? undefined)]),
      ...(hasFolds ? [foldCell(head)] : []),
      ...metricCells(run?.metrics ?? {}),
      stateOf(head, run?.trained ?? false),
    ]
  })
  const header = [
    'run',
    'head',
    ...(places.size > 1 ? ['cut'] : []),
    ...(viewCounts.size > 1 ? ['views'] : []),
    ...(isUsual ? [] : [metric]),
    ...(hasFolds ? [`folds: ${metric}`] : []),
    ...metricHead(runs[0]?.metrics),
    '',
  ]
  const drawn = table(rows, header)
  const states = ['trained', 'pruned', 'diverged'].flatMap((state) => {
    const count = sweep.heads.filter((head) => head.state === state).length
    return count === 0 ? [] : [`${count} ${state}`]
  })
  if (sweep.heads.length === 1) return drawn
  const those = shown.length < sweep.heads.length ? `; the best ${shown.length} by ${metric}` : ''
  return `${drawn}\n\nsweep ${shortId(sweep.id)}: ${states.join(', ')}${those}`
}
