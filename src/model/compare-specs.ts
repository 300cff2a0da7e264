// Owns what sets two runs apart besides their predictions: the fields of their training and the
// metrics of their records. Pure.
import { canonicalJson, type JsonValue } from '../identity/canonical-json.js'
import { shortId } from '../identity/hash.js'
import type { RunRecord } from './run-record.js'

/** Null where a run has no such field or metric. */
export interface Difference {
  readonly name: string
  readonly a: JsonValue
  readonly b: JsonValue
}

type Facts = Readonly<Record<string, JsonValue>>

const MAX_SHOWN = 200

/** A topology is named by its size: nobody reads it in a comparison. */
const shown = (name: string, value: JsonValue): JsonValue => {
  if (name !== 'topology') return value
  return `${canonicalJson(value).length} characters of JSON`
}

const factsOf = (run: RunRecord): Facts => ({
  base: run.base.id,
  cut: run.extractor.cut,
  pooling: run.extractor.pooling,
  engine: run.extractor.engine,
  precision: run.extractor.precision,
  input: run.extractor.input as JsonValue,
  views: run.extractors.length,
  dataset: run.dataset.datasetId,
  seed: run.seed,
  ...(run.head as Facts),
})

const metricsOf = (run: RunRecord): Facts =>
  Object.fromEntries(
    Object.entries(run.metrics).flatMap(([split, metrics]) =>
      Object.entries(metrics ?? {})
        .filter(([, value]) => typeof value === 'number')
        .map(([name, value]) => [`${split}.${name}`, value as number]),
    ),
  )

const differences = (a: Facts, b: Facts): Difference[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) => {
    const [one, other] = [a[name] ?? null, b[name] ?? null]
    if (canonicalJson(one) === canonicalJson(other)) return []
    return [{ name, a: shown(name, one), b: shown(name, other) }]
  })

export const specDifferences = (a: RunRecord, b: RunRecord): Difference[] =>
  differences(factsOf(a), factsOf(b))

export const metricDifferences = (a: RunRecord, b: RunRecord): Difference[] =>
  differences(metricsOf(a), metricsOf(b))

/** For people: ids short, objects as JSON of bounded length. */
export const differenceText = (value: JsonValue): string => {
  if (typeof value === 'string')
    return /^[0-9a-f]{64}$/.test(value) ? shortId(value) : value.slice(0, MAX_SHOWN)
  if (typeof value === 'number') return String(Number(value.toPrecision(5)))
  return value === null ? '-' : canonicalJson(value).slice(0, MAX_SHOWN)
}
