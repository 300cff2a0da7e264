// Owns `headstart runs`: trained heads, newest first, with what they reached.
import { writeFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import {
  findRuns,
  type KeyMetrics,
  keyMetricsOf,
  type RunSummary,
  summarizeRun,
} from '../../catalog/list.js'
import { removeRun } from '../../catalog/remove.js'
import { runQuerySchema } from '../../catalog/run-query.js'
import { encodeRunsTable } from '../../catalog/runs-table.js'
import { type ShownRun, showRun } from '../../catalog/show.js'
import { HeadstartError, messageOf } from '../../errors.js'
import { parseWith } from '../../experiment/schema.js'
import { shortId } from '../../identity/hash.js'
import type { RunRecord } from '../../model/run-record.js'
import type { Store } from '../../store/port.js'
import { addCatalogCommand, joinIds, joinNames } from '../catalog-command.js'
import { describeHead } from '../metrics-text.js'
import { parseCount } from '../options.js'
import { bytes, fraction, seconds, table } from '../tables.js'
import { addCompareCommand } from './compare.js'

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

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value]

const parseFile = (path: string): string => {
  if (path.trim() === '') throw new InvalidArgumentError('not a file')
  return path
}

const listOptions = (ls: Command): Command =>
  ls
    .option('--sort <field>', 'created, epochs, name, or a metric such as accuracy or test.loss')
    .option('--reverse', 'oldest or worst first')
    .option('--where <condition>', 'field=value; also !=, <, <=, >, >=; may be repeated', collect)
    .option('--dataset <dataset>', 'name, id or path of the dataset')
    .option('--sweep <sweep>', 'runs of a sweep: its id, or the first 6 or more characters of it')
    .option('--limit <n>', 'at most so many', parseCount)
    .option('--arrow <file>', 'also write the runs to an Arrow file, one row a run', parseFile)
    .addHelpText(
      'after',
      `
Examples:
  headstart runs ls --sort accuracy --limit 10
  headstart runs ls --where kind=linear --where 'accuracy>=0.9' --dataset pets
  headstart runs ls --sweep 3f2a9c --arrow runs.arrow`,
    )

const writeArrow = async (path: string, content: Uint8Array): Promise<void> => {
  try {
    await writeFile(path, content)
  } catch (error) {
    throw new HeadstartError('INPUT_MISSING', `cannot write ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const listQueried = async (store: Store, options: Readonly<Record<string, unknown>>) => {
  const { sort, reverse, where, dataset, sweep, limit, arrow } = options
  const given = Object.entries({ sort, reverse, where, dataset, sweep, limit })
  const query = parseWith(
    runQuerySchema,
    Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    'the query',
  )
  const { items, damaged } = await findRuns(store, query)
  if (typeof arrow === 'string') await writeArrow(arrow, encodeRunsTable(items))
  return { items: items.map(summarizeRun), damaged }
}

export const addRunsCommand = (program: Command): void =>
  addCatalogCommand(program, {
    command: 'runs',
    noun: 'run',
    description: 'list, compare, show and remove trained runs',
    reference: 'name, id, or the first 6 or more characters of an id',
    example: 'pets-v1',
    list: listQueried,
    listOptions,
    drawList: drawRuns,
    show: showRun,
    drawShown: drawRun,
    rm: { canForce: false, remove: removeRun },
    more: addCompareCommand,
  })
