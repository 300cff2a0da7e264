// Owns the labelled rows of a tensor file: opening it, joining its labels, hashing each row.
// Labels come from a file of their own, or from the columns of an .arrow file.
import { basename, extname } from 'node:path'
import { assertNotAborted, HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { type ArrowTensorSource, openArrowTensor } from './arrow-tensor.js'
import { createFaults } from './faults.js'
import { parseLabelValue } from './label.js'
import { openNpyTensor, readNpyNumbers } from './npy.js'
import { createRowCollector, type TableRow } from './rows.js'
import { detectSource, type RawEntry } from './source.js'
import type { TargetKind } from './spec.js'
import { readTable } from './table-rows.js'
import { rowBytesOf, rowKeyOf, type TensorSource } from './tensor.js'

export type OpenTensor =
  | { readonly kind: 'npy'; readonly source: TensorSource }
  | { readonly kind: 'arrow'; readonly source: ArrowTensorSource }

/** @throws INPUT_MISSING, DATASET_INVALID */
export const openTensor = async (file: string, signal?: AbortSignal): Promise<OpenTensor> =>
  extname(file).toLowerCase() === '.arrow'
    ? { kind: 'arrow', source: await openArrowTensor(file, signal) }
    : { kind: 'npy', source: await openNpyTensor(file) }

const PREFIX = 'row-'

/** Rows count from 0, as an index into the file does. */
export const nameOfRow = (row: number): string => `${PREFIX}${row}`

/** The row of a name, or -1. */
export const rowOfName = (name: string): number =>
  /^row-(?:0|[1-9]\d{0,14})$/.test(name) ? Number(name.slice(PREFIX.length)) : -1

interface LabelRequest {
  readonly target: TargetKind
  readonly signal?: AbortSignal | undefined
}

const readNpyLabels = async (file: string, target: TargetKind): Promise<readonly TableRow[]> => {
  const { shape, values } = await readNpyNumbers(file)
  const [count = 0, width = 1] = shape
  if (shape.length !== 1 && !(shape.length === 2 && target === 'regression')) {
    throw new HeadstartError(
      'DATASET_INVALID',
      `${file}: labels of shape [${shape}] must be [rows]`,
    )
  }
  if (target === 'multi') {
    throw new HeadstartError(
      'DATASET_INVALID',
      `${file}: give labels of a multi target as CSV or JSONL`,
    )
  }
  const faults = createFaults(file)
  const rows = createRowCollector(target, faults)
  for (let row = 0; row < count; row += 1) {
    const rowValues = Array.from(values.subarray(row * width, (row + 1) * width))
    const label = parseLabelValue(target, target === 'single' ? rowValues[0] : rowValues)
    rows.add({ row: row + 1, path: '', label, split: '' })
  }
  faults.assertNone()
  return rows.finish()
}

const readLabelFile = async (
  file: string,
  { target, signal }: LabelRequest,
): Promise<readonly TableRow[]> => {
  const kind = await detectSource(file)
  if (kind === 'npy') return readNpyLabels(file, target)
  if (kind !== 'csv' && kind !== 'jsonl') {
    throw new HeadstartError('DATASET_INVALID', `${file}: labels are a .npy, .csv or .jsonl file`)
  }
  const { rows, faults } = await readTable({ file, format: kind, target, withPath: false, signal })
  faults.assertNone()
  return rows
}

const readArrowLabels = (
  file: string,
  { labels, splits }: ArrowTensorSource,
  target: TargetKind,
): readonly TableRow[] => {
  if (labels === null) {
    throw new HeadstartError('DATASET_INVALID', `${file} has no column "label"`)
  }
  const faults = createFaults(file)
  const rows = createRowCollector(target, faults)
  labels.forEach((value, index) => {
    const label = parseLabelValue(target, target === 'multi' ? (value ?? []) : value)
    rows.add({ row: index + 1, path: '', label, split: splits?.[index] ?? '' })
  })
  faults.assertNone()
  return rows.finish()
}

/**
 * The named and labelled rows of an open tensor file.
 *
 * @param labelFile a file of labels in the order of the rows; required for .npy.
 * @throws INPUT_MISSING, DATASET_INVALID, REQUEST_INVALID
 */
export const readRowEntries = async (
  file: string,
  tensor: OpenTensor,
  request: LabelRequest & { readonly labelFile: string | undefined },
): Promise<readonly RawEntry[]> => {
  const { labelFile, target } = request
  if (labelFile === undefined && tensor.kind === 'npy') {
    const message = `dataset.labels: ${basename(file)} needs a file of labels (.npy, .csv or .jsonl)`
    throw new HeadstartError('REQUEST_INVALID', message)
  }
  let rows: readonly TableRow[] = []
  if (labelFile !== undefined) rows = await readLabelFile(labelFile, request)
  else if (tensor.kind === 'arrow') rows = readArrowLabels(file, tensor.source, target)
  if (rows.length !== tensor.source.rows) {
    const message = `${labelFile ?? file} has ${rows.length} labels for ${tensor.source.rows} rows`
    throw new HeadstartError('DATASET_INVALID', message)
  }
  return rows.map(({ label, split }, index) => ({ name: nameOfRow(index), label, split }))
}

const BLOCK_BYTES = 4 * 1024 ** 2

/** The sample key of each row, read block by block. */
export const hashRows = async (
  source: TensorSource,
  options: {
    readonly signal?: AbortSignal | undefined
    readonly onProgress?: ((done: number, total: number) => void) | undefined
  },
): Promise<Sha256[]> => {
  const rowBytes = rowBytesOf(source.shape)
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes))
  const keys: Sha256[] = []
  for (let start = 0; start < source.rows; start += blockRows) {
    assertNotAborted(options.signal)
    const count = Math.min(blockRows, source.rows - start)
    const block = await source.readRows(start, count)
    for (let row = 0; row < count; row += 1) {
      keys.push(rowKeyOf(source.shape, block.subarray(row * rowBytes, (row + 1) * rowBytes)))
    }
    options.onProgress?.(start + count, source.rows)
  }
  return keys
}
