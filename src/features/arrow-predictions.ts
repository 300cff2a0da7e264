// Owns the Arrow IPC file of a run's predictions on one split, one row a sample: what was predicted and
// what is true. Deterministic. Parses checked: a file with other columns, lengths or values is refused.
import { type Table, tableFromIPC, type Vector } from 'apache-arrow'
import { z } from 'zod'
import {
  boolColumn,
  type Column,
  encodeColumns,
  float32Data,
  float64Data,
  intData,
  keyColumn,
  listColumn,
  METADATA_KEY,
  plainColumn,
} from './arrow-columns.js'
import {
  classRowSchema,
  labelsRowSchema,
  type PredictionRows,
  type PredictionTable,
  predictionMetadataSchema,
  valuesRowSchema,
} from './prediction-rows.js'

const columnsOf = ({ kind, rows }: PredictionRows): readonly Column[] => {
  const key = keyColumn(
    'key',
    rows.map((row) => row.key),
  )
  switch (kind) {
    case 'single':
      return [
        key,
        plainColumn('actual', intData(rows.map((row) => row.actual))),
        plainColumn('predicted', intData(rows.map((row) => row.predicted))),
        plainColumn('confidence', float32Data(rows.map((row) => row.confidence))),
        boolColumn(
          'right',
          rows.map((row) => row.right),
        ),
        plainColumn('trueProbability', float32Data(rows.map((row) => row.trueProbability))),
      ]
    case 'multi':
      return [
        key,
        listColumn(
          'actual',
          rows.map((row) => row.actual),
          intData,
        ),
        listColumn(
          'predicted',
          rows.map((row) => row.predicted),
          intData,
        ),
        boolColumn(
          'right',
          rows.map((row) => row.right),
        ),
        listColumn(
          'probabilities',
          rows.map((row) => row.probabilities),
          float32Data,
        ),
      ]
    case 'regression':
      return [
        key,
        listColumn(
          'actual',
          rows.map((row) => row.actual),
          float64Data,
        ),
        listColumn(
          'predicted',
          rows.map((row) => row.predicted),
          float32Data,
        ),
      ]
    default:
      return kind satisfies never
  }
}

/** An uncompressed Arrow IPC file; metadata as canonical JSON under `headstart`. */
export const encodePredictions = ({ metadata, predictions }: PredictionTable): Uint8Array =>
  encodeColumns(columnsOf(predictions), predictions.rows.length, metadata)

const plainValue = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'object' && value !== null && Symbol.iterator in value)
    return [...(value as Iterable<unknown>)]
  return value
}

const rowsOf = (table: Table): Record<string, unknown>[] => {
  const columns = table.schema.fields.map(({ name }): [string, Vector | null] => [
    name,
    table.getChild(name),
  ])
  return Array.from({ length: table.numRows }, (_, row) =>
    Object.fromEntries(columns.map(([name, vector]) => [name, plainValue(vector?.get(row))])),
  )
}

const assertWithin = (indices: readonly number[], classes: number): void => {
  const bad = indices.find((one) => one >= classes)
  if (bad !== undefined) throw new Error(`class ${bad} of ${classes}`)
}

/** @throws Error when the bytes are no predictions. */
export const decodePredictions = (bytes: Uint8Array): PredictionTable => {
  const table = tableFromIPC(bytes)
  const text = table.schema.metadata.get(METADATA_KEY)
  const metadata = predictionMetadataSchema.parse(JSON.parse(text ?? 'null'))
  const { kind, names } = metadata
  const rows = rowsOf(table)
  switch (kind) {
    case 'single': {
      const parsed = z.array(classRowSchema).parse(rows)
      for (const row of parsed) assertWithin([row.actual, row.predicted], names.length)
      return { metadata, predictions: { kind, rows: parsed } }
    }
    case 'multi': {
      const parsed = z.array(labelsRowSchema).parse(rows)
      for (const row of parsed) {
        assertWithin([...row.actual, ...row.predicted], names.length)
        if (row.probabilities.length !== names.length) throw new Error('a probability is missing')
      }
      return { metadata, predictions: { kind, rows: parsed } }
    }
    case 'regression': {
      const parsed = z.array(valuesRowSchema).parse(rows)
      for (const { actual, predicted } of parsed)
        if (actual.length !== names.length || predicted.length !== names.length)
          throw new Error('a value is missing')
      return { metadata, predictions: { kind, rows: parsed } }
    }
    default:
      return kind satisfies never
  }
}
