// Owns indexing: from what lies on the disk to a dataset with identities and a reader of its content.
import { realpath } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { isS3Url } from '../store/url.js'
import {
  assertNoLabelFile,
  assertNoRegression,
  buildDataset,
  type IndexRequest,
  keyEntries,
  type ResolvedRequest,
} from './build-dataset.js'
import { findInFolder } from './folder.js'
import { hashFiles } from './hash-files.js'
import { indexObjects } from './index-objects.js'
import { createFileReader, createTensorReader } from './reader.js'
import { detectSource, type FoundFiles, type SourceKind } from './source.js'
import { findInTable, tableRoot } from './table.js'
import { hashRows, type OpenTensor, openTensor, readRowEntries } from './tensor-rows.js'
import type { Content, Dataset, OpenDataset } from './types.js'

const findFiles = async (
  kind: Exclude<SourceKind, 'npy' | 'arrow'>,
  from: string,
  { spec, signal }: ResolvedRequest,
): Promise<FoundFiles & { readonly root: string }> => {
  if (kind !== 'folder') {
    const request = { file: from, format: kind, target: spec.target, signal }
    return { ...(await findInTable(request)), root: await tableRoot(from) }
  }
  assertNoRegression(from, spec.target)
  const root = await realpath(from)
  return { ...(await findInFolder(root, signal)), root }
}

const indexFiles = async (
  kind: Exclude<SourceKind, 'npy' | 'arrow'>,
  from: string,
  request: ResolvedRequest,
): Promise<OpenDataset> => {
  assertNoLabelFile(basename(from), request.spec)
  const { root, entries: files, notes } = await findFiles(kind, from, request)
  const hashed = await hashFiles(files, { ...request, root })
  const dataset = buildDataset(request, from, {
    entries: keyEntries(files, hashed.keys),
    content: { kind: 'image' },
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
  const entries = keyEntries(rows, keys)
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
 * Indexes a folder of class folders, a .csv or .jsonl table, a .npy or .arrow tensor file, or class
 * folders or a table in S3: finds the samples, hashes their content, joins equal content, settles classes and splits.
 * The caller closes the reader.
 *
 * @throws INPUT_MISSING, DATASET_EMPTY, DATASET_INVALID, DATASET_TOO_FEW_CLASSES,
 * DATASET_CLASS_TOO_SMALL, DATASET_CHANGED, REQUEST_INVALID, STORE_UNAVAILABLE, INTERRUPTED
 */
export const indexDataset = async (asked: IndexRequest): Promise<OpenDataset> => {
  const spec = { ...asked.spec, target: asked.spec.target ?? 'single' } as const
  const request: ResolvedRequest = { ...asked, spec }
  if (isS3Url(spec.from)) return indexObjects(request)
  const from = resolve(request.baseDir, spec.from)
  const kind = await detectSource(from)
  return kind === 'npy' || kind === 'arrow'
    ? indexTensor(from, request)
    : indexFiles(kind, from, request)
}
