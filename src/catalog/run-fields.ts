// Owns the fields by which runs are filtered and sorted: what each means, as a number or a text.
import { HeadstartError } from '../errors.js'
import { scoreOf } from '../head/metrics.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { SHA256_PATTERN } from '../identity/hash.js'
import type { RunRecord } from '../model/run-record.js'
import { SELECT_METRICS } from '../model/sweep-record.js'

/** A run and the names that point to it and to what it was made of. */
export interface NamedRun {
  readonly run: RunRecord
  readonly names: readonly string[]
  readonly baseNames: readonly string[]
  readonly datasetNames: readonly string[]
}

/** Numbers are compared as numbers; of several texts any may be meant. */
export type FieldValue = number | readonly string[] | null

const SPLITS = ['validation', 'train', 'test'] as const
type Metrics = NonNullable<RunRecord['metrics']['train']>

const HEAD_FIELDS = [
  'kind',
  'width',
  'depth',
  'optimizer',
  'batchSize',
  'learningRate',
  'momentum',
  'tolerance',
  'weightDecay',
  'l2',
  'dropout',
  'labelSmoothing',
] as const
const METRICS = ['score', ...SELECT_METRICS] as const
type Metric = (typeof METRICS)[number]

const FACTS: Readonly<Record<string, (named: NamedRun) => FieldValue>> = {
  created: ({ run }) => Date.parse(run.createdAt),
  epochs: ({ run }) => run.history.length,
  id: ({ run }) => [run.runId],
  name: ({ names }) => names,
  base: ({ run, baseNames }) => [run.base.id, run.base.from, ...baseNames],
  dataset: ({ run, datasetNames }) => [run.dataset.datasetId, run.dataset.from, ...datasetNames],
  cut: ({ run }) => [run.extractor.cut],
  pooling: ({ run }) => [run.extractor.pooling],
  engine: ({ run }) => [run.extractor.engine],
  task: ({ run }) => [run.target.kind],
  views: ({ run }) => run.extractors.length,
  seed: ({ run }) => run.seed,
}

const fieldValue = (value: JsonValue | undefined): FieldValue => {
  if (typeof value === 'number') return value
  return value === undefined || value === null ? null : [String(value)]
}

const metricOf = (metrics: Metrics | undefined, metric: Metric): number | null => {
  if (metrics === undefined) return null
  if (metric === 'score') return scoreOf(metrics)
  const value: unknown = Object.entries(metrics).find(([name]) => name === metric)?.[1]
  return typeof value === 'number' ? value : null
}

const isMetric = (name: string): name is Metric => (METRICS as readonly string[]).includes(name)
const isHeadField = (name: string): boolean => (HEAD_FIELDS as readonly string[]).includes(name)

/** All fields, as a message lists them. */
const known = (): string =>
  `${[...Object.keys(FACTS), ...HEAD_FIELDS, ...METRICS].join(', ')}; a metric also as ${SPLITS.map((split) => `${split}.<metric>`).join(', ')}`

/**
 * How a field is read from a run. A metric without a split is the validation one, or the train one
 * where there is no validation split.
 *
 * @throws REQUEST_INVALID naming the fields that there are.
 */
export const fieldReader = (name: string): ((named: NamedRun) => FieldValue) => {
  const fact = Object.hasOwn(FACTS, name) ? FACTS[name] : undefined
  if (fact !== undefined) return fact
  if (isHeadField(name))
    return ({ run }) => fieldValue((run.head as Readonly<Record<string, JsonValue>>)[name])
  const [first = '', second] = name.split('.')
  const split = SPLITS.find((one) => one === first)
  if (second !== undefined && split !== undefined && isMetric(second))
    return ({ run }) => metricOf(run.metrics[split], second)
  if (isMetric(name))
    return ({ run }) => metricOf(run.metrics.validation ?? run.metrics.train, name)
  throw new HeadstartError(
    'REQUEST_INVALID',
    `runs have no field ${JSON.stringify(name.slice(0, 60))}; there are ${known()}`,
  )
}

/** Whether the lower value of a field comes first unless asked otherwise. */
export const isAscending = (name: string): boolean => {
  const last = name.split('.').at(-1) ?? ''
  return (
    ['loss', 'rmse', 'mae'].includes(last) ||
    !(isMetric(last) || ['created', 'epochs'].includes(last))
  )
}

/** Whether a text that was given means one of the texts of a field: it, or the start of an id. */
export const meansText = (texts: readonly string[], given: string): boolean =>
  texts.some(
    (text) =>
      text === given || (SHA256_PATTERN.test(text) && given.length >= 6 && text.startsWith(given)),
  )
