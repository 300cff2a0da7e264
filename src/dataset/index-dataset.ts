// Owns indexing: from what lies on the disk to a dataset with identities and a reader of its content.
import { realpath } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { HeadstartError } from '../errors.js'
import { collapse } from './collapse.js'
import { findInFolder } from './folder.js'
import { hashFiles } from './hash-files.js'
import { labelDataset } from './labelled.js'
import { createFileReader, createTensorReader } from './reader.js'
import { detectSource, type FoundFiles, type KeyedEntry, type SourceKind } from './source.js'
import type { DatasetSpec, SplitSpec, TargetKind } from './spec.js'
import { findInTable, tableRoot } from './table.js'
import { hashRows, type OpenTensor, openTensor, readRowEntries } from './tensor-rows.js'
import type { Content, Dataset, OpenDataset } from './types.js'

export interface IndexRequest {
  readonly spec: DatasetSpec
  /** Splits by key, whatever the source says; undefined: the source's splits, else the default. */
  readonly split?: SplitSpec | undefined
  /** Local folder for remembered hashes. */
  readonly cacheDir: string
  /** Relative paths of the spec start here. */
  readonly baseDir: string
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** With the target that is meant where none was asked for. */
interface ResolvedRequest extends IndexRequest {
  readonly spec: DatasetSpec & { readonly target: TargetKind }
}

interface Found {
  readonly entries: readonly KeyedEntry[]
  readonly content: Content
  readonly notes: readonly string[]
}

const buildDataset = (
  { spec, split }: ResolvedRequest,
  from: string,
  { entries, content, notes }: Found,
): Dataset => {
  if (entries.length === 0) {
    throw new HeadstartError('DATASET_EMPTY', `no sample was found in ${from}`, { details: notes })
  }
  const collapsed = collapse(entries, spec.target)
  const labels = (function* () {
    for (const { label } of entries) yield label
  })()
  return labelDataset(
    { from, content, target: spec.target, labels, split },
    { samples: collapsed.samples, notes: [...notes, ...collapsed.notes] },
  )
}

const findFiles = async (
  kind: Exclude<SourceKind, 'npy' | 'arrow'>,
  from: string,
  { spec, signal }: ResolvedRequest,
): Promise<FoundFiles & { readonly root: string }> => {
  if (kind !== 'folder') {
    const request = { file: from, format: kind, target: spec.target, signal }
    return { ...(await findInTable(request)), root: await tableRoot(from) }
  }
  if (spec.target === 'regression') {
    const message = `${from}: folders give classes; give regression targets in a .csv or .jsonl table`
    throw new HeadstartError('DATASET_INVALID', message)
  }
  const root = await realpath(from)
  return { ...(await findInFolder(root, signal)), root }
}

const indexFiles = async (
  kind: Exclude<SourceKind, 'npy' | 'arrow'>,
  from: string,
  request: ResolvedRequest,
): Promise<OpenDataset> => {
  if (request.spec.labels !== undefined) {
    const message = `dataset.labels: only tensor files take labels, not ${basename(from)}`
    throw new HeadstartError('REQUEST_INVALID', message)
  }
  const { root, entries: files, notes } = await findFiles(kind, from, request)
  const hashed = await hashFiles(files, { ...request, root })
  const entries = files.map(({ name, label, split }, index) => ({
    name,
    label,
    split,
    key: hashed.keys[index] ?? '',
  }))
  const content = { kind: 'image' } as const
  const dataset = buildDataset(request, from, {
    entries,
    content,
    notes: [...notes, ...hashed.notes],
  })
  return { dataset, reader: createFileReader(root, dataset.samples) }
}

const indexRows = async (
  from: string,
  tensor: OpenTensor,
  request: ResolvedRequest,
): Promise<Dataset> => {
  const { spec, baseDir, signal } = request
  const labelFile = spec.labels === undefined ? undefined : resolve(baseDir, spec.labels)
  const rows = await readRowEntries(from, tensor, { target: spec.target, labelFile, signal })
  const keys = await hashRows(tensor.source, request)
  const entries = rows.map((row, index) => ({ ...row, key: keys[index] ?? '' }))
  const content: Content = { kind: 'tensor', dtype: 'float32', shape: tensor.source.shape }
  return buildDataset(request, from, { entries, content, notes: [] })
}

const indexTensor = async (from: string, request: ResolvedRequest): Promise<OpenDataset> => {
  const tensor = await openTensor(from, request.signal)
  let keepOpen = false
  try {
    const dataset = await indexRows(from, tensor, request)
    // An .arrow file was parsed whole: its values stay. A .npy file is opened again when needed.
    keepOpen = tensor.kind === 'arrow'
    const open = async () => (keepOpen ? tensor.source : (await openTensor(from)).source)
    return { dataset, reader: createTensorReader(open, dataset.samples) }
  } finally {
    if (!keepOpen) await tensor.source.close()
  }
}

/**
 * Indexes a folder of class folders, a .csv or .jsonl table, or a .npy or .arrow tensor file: finds
 * the samples, hashes their content, joins equal content, settles classes and splits.
 * The caller closes the reader.
 *
 * @throws INPUT_MISSING, DATASET_EMPTY, DATASET_INVALID, DATASET_TOO_FEW_CLASSES,
 * DATASET_CLASS_TOO_SMALL, DATASET_CHANGED, REQUEST_INVALID, INTERRUPTED
 */
export const indexDataset = async (asked: IndexRequest): Promise<OpenDataset> => {
  const spec = { ...asked.spec, target: asked.spec.target ?? 'single' } as const
  const request: ResolvedRequest = { ...asked, spec }
  const from = resolve(request.baseDir, request.spec.from)
  const kind = await detectSource(from)
  return kind === 'npy' || kind === 'arrow'
    ? indexTensor(from, request)
    : indexFiles(kind, from, request)
}
