// Owns the listing of runs as a table: one row a run, its spec and all its numbers in columns.
import { encodeTable, type TableColumn } from '../features/arrow-table.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { canonicalJson } from '../identity/canonical-json.js'
import type { RunRecord } from '../model/run-record.js'
import type { NamedRun } from './run-fields.js'

type Cell = string | number | boolean | null
type Row = Readonly<Record<string, Cell>>

/** A topology may have megabytes: run.json has it. */
const headCells = (head: RunRecord['head']): Row =>
  Object.fromEntries(
    Object.entries(head as Readonly<Record<string, JsonValue>>)
      .filter(([name]) => name !== 'topology')
      .map(([name, value]) => [
        `head.${name}`,
        typeof value === 'object' && value !== null ? canonicalJson(value) : (value as Cell),
      ]),
  )

const metricCells = ({ metrics }: RunRecord): Row =>
  Object.fromEntries(
    Object.entries(metrics).flatMap(([split, values]) =>
      Object.entries(values ?? {}).flatMap(([name, value]): [string, Cell][] =>
        typeof value === 'number' ? [[`${split}.${name}`, value]] : [],
      ),
    ),
  )

const rowOf = ({ run, names }: NamedRun): Row => ({
  id: run.runId,
  names: names.join(', '),
  createdAt: run.createdAt,
  'base.id': run.base.id,
  'base.from': run.base.from,
  cut: run.extractor.cut,
  pooling: run.extractor.pooling,
  engine: run.extractor.engine,
  views: run.extractors.length,
  'dataset.id': run.dataset.datasetId,
  'dataset.from': run.dataset.from,
  task: run.target.kind,
  seed: run.seed,
  epochs: run.history.length,
  bestEpoch: run.bestEpoch,
  stoppedEarly: run.stoppedEarly,
  'seconds.train': run.seconds.train,
  ...headCells(run.head),
  ...metricCells(run),
})

const columnOf = (name: string, cells: readonly (Cell | undefined)[]): TableColumn => {
  const values = cells.map((cell) => cell ?? null)
  if (values.every((value): value is boolean => typeof value === 'boolean'))
    return { name, kind: 'bool', values }
  if (values.every((value): value is number | null => value === null || typeof value === 'number'))
    return { name, kind: 'number', values }
  return {
    name,
    kind: 'text',
    values: values.map((value) => (value === null ? null : String(value))),
  }
}

/** An Arrow IPC file; a column for everything that any of the runs has. */
export const encodeRunsTable = (runs: readonly NamedRun[]): Uint8Array => {
  const rows = runs.map(rowOf)
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return encodeTable(
    'runs',
    names.map((name) =>
      columnOf(
        name,
        rows.map((row) => row[name]),
      ),
    ),
  )
}
