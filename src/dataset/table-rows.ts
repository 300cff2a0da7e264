// Owns reading CSV and JSONL tables into rows of path, label and split; all faults at once.
// Refuses unknown JSON members, ragged records and what is over the size of a table.
import { pipeline } from 'node:stream'
import { parse } from 'csv-parse'
import { z } from 'zod'
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { createFaults, type Faults } from './faults.js'
import { parseLabelText, parseLabelValue } from './label.js'
import { MAX_LINE_BYTES, readChunks, readLines } from './lines.js'
import { createRowCollector, type RawRow, type TableRow } from './rows.js'
import type { TargetKind } from './spec.js'

export interface TableRequest {
  /** A path; with `open`, what messages call the table. */
  readonly file: string
  /** The bytes of a table that is no local file. */
  readonly open?: (() => AsyncIterable<Uint8Array>) | undefined
  readonly format: 'csv' | 'jsonl'
  readonly target: TargetKind
  /** Whether each row names a file; otherwise rows are in the order of a tensor's rows. */
  readonly withPath: boolean
  readonly signal?: AbortSignal | undefined
}

export interface Table {
  readonly rows: readonly TableRow[]
  readonly faults: Faults
  readonly notes: readonly string[]
}

const openTable = ({ file, open }: TableRequest): AsyncIterable<Uint8Array> =>
  open === undefined ? readChunks(file) : open()

async function* readCsvRecords(request: TableRequest): AsyncGenerator<string[]> {
  const { file } = request
  const parser = parse({ bom: true, relax_column_count: true, max_record_size: MAX_LINE_BYTES })
  // The iteration below sees every error, because pipeline destroys the parser with it.
  pipeline(openTable(request), parser, () => {})
  try {
    for await (const record of parser) yield record as string[]
  } catch (cause) {
    if (isHeadstartError(cause)) throw cause
    throw new HeadstartError('DATASET_INVALID', `${file} is no CSV: ${messageOf(cause)}`, { cause })
  }
}

const KNOWN_COLUMNS = ['path', 'label', 'split']

interface Columns {
  readonly count: number
  readonly path: number
  readonly label: number
  readonly split: number
  readonly unused: readonly string[]
}

const parseHeader = (header: readonly string[], withPath: boolean, faults: Faults): Columns => {
  const names = header.map((name) => name.trim())
  for (const name of withPath ? ['path', 'label'] : ['label']) {
    if (!names.includes(name)) faults.add(1, `the header has no column "${name}"`)
  }
  for (const name of KNOWN_COLUMNS) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) {
      faults.add(1, `the header has the column "${name}" twice`)
    }
  }
  faults.assertNone()
  const [path = -1, label = -1, split = -1] = KNOWN_COLUMNS.map((name) => names.indexOf(name))
  const unused = names.filter((name) => !KNOWN_COLUMNS.includes(name))
  return { count: names.length, path: withPath ? path : -1, label, split, unused }
}

async function* readCsvRows(
  request: TableRequest,
  faults: Faults,
  notes: string[],
): AsyncGenerator<RawRow> {
  let columns: Columns | undefined
  let row = 0
  for await (const record of readCsvRecords(request)) {
    row += 1
    if (columns === undefined) {
      columns = parseHeader(record, request.withPath, faults)
      if (columns.unused.length > 0) notes.push(`ignored columns: ${columns.unused.join(', ')}`)
    } else if (record.length === columns.count) {
      yield {
        row,
        path: record[columns.path] ?? '',
        label: parseLabelText(request.target, record[columns.label] ?? ''),
        split: (record[columns.split] ?? '').trim(),
      }
    } else if (record.length > 1 || record[0] !== '') {
      faults.add(row, `${record.length} values, but the header has ${columns.count} columns`)
    }
  }
  if (columns === undefined) faults.add(0, 'the table is empty: a header line is missing')
}

const jsonLabel = z.union([
  z.string(),
  z.number(),
  z.array(z.union([z.string(), z.number()])).readonly(),
])
const labelledRow = z.strictObject({ label: jsonLabel, split: z.string().optional() })
const pathRow = labelledRow.extend({ path: z.string() })

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

async function* readJsonRows(request: TableRequest, faults: Faults): AsyncGenerator<RawRow> {
  const schema: z.ZodType<{ path?: string; label: unknown; split?: string | undefined }> =
    request.withPath ? pathRow : labelledRow
  let row = 0
  for await (const line of readLines(request.file, openTable(request))) {
    row += 1
    if (line.trim() === '') continue
    const value = parseJson(line)
    const parsed = schema.safeParse(value)
    if (parsed.success) {
      const { path = '', label, split = '' } = parsed.data
      yield { row, path, label: parseLabelValue(request.target, label), split }
    } else if (value === undefined) {
      faults.add(row, 'the line is no JSON')
    } else {
      for (const issue of parsed.error.issues) {
        const place = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
        faults.add(row, `${place}${issue.message}`)
      }
    }
  }
}

/**
 * Reads a whole table. The caller adds faults of its own and then calls `faults.assertNone()`.
 *
 * @throws DATASET_INVALID when the table cannot be read at all.
 */
export const readTable = async (request: TableRequest): Promise<Table> => {
  const faults = createFaults(request.file)
  const notes: string[] = []
  const rows = createRowCollector(request.target, faults)
  const source =
    request.format === 'csv' ? readCsvRows(request, faults, notes) : readJsonRows(request, faults)
  for await (const row of source) {
    if (row.row % 1024 === 0) assertNotAborted(request.signal)
    rows.add(row)
  }
  return { rows: rows.finish(), faults, notes }
}
