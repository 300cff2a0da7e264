// Owns `from`: a registered name, an id, a path or a URL, to the base or dataset that it means.
import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { indexDataset } from '../dataset/index-dataset.js'
import { openContent } from '../dataset/open-content.js'
import { copyPushed } from '../dataset/pushed.js'
import { resplit } from '../dataset/resplit.js'
import { loadDataset, saveDataset } from '../dataset/save.js'
import type { DatasetSpec, SplitSpec } from '../dataset/spec.js'
import type { Dataset, OpenDataset } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import { type BaseRecord, loadBaseRecord } from '../extractor/base/load.js'
import { isUrl } from '../extractor/base/read-source.js'
import { registerBase } from '../extractor/base/register.js'
import { sha256Schema } from '../features/shard.js'
import { SHA256_PATTERN } from '../identity/hash.js'
import { parseStored } from '../store/json.js'
import { getName, isName } from '../store/names.js'
import type { OpenObjects } from '../store/object-source.js'
import type { Store } from '../store/port.js'
import { isS3Url, parseObjectUrl } from '../store/url.js'
import type { Workspace } from './workspace.js'

export const namedBaseSchema = z.strictObject({ baseId: sha256Schema })

export const namedDatasetSchema = z.strictObject({
  datasetId: sha256Schema,
  /** Absolute path of the content on the machine where it was added, or its `s3://` address. */
  from: z.string(),
})

/** How a base is called in records: a URL without credentials and query, else the last part of the path. */
export const describeBaseSource = (from: string): string => {
  if (!isUrl(from)) return basename(from)
  const { origin, pathname } = new URL(from)
  return origin + pathname
}

/**
 * The base that `from` means; a folder, model.json or URL is registered.
 *
 * @param folder relative paths start here.
 * @throws NOT_FOUND and the errors of registerBase.
 */
export const resolveBase = async (
  { store, engines }: Pick<Workspace, 'store' | 'engines'>,
  from: string,
  folder: string,
  signal?: AbortSignal,
): Promise<BaseRecord> => {
  let baseId = SHA256_PATTERN.test(from) ? from : undefined
  if (baseId === undefined && isName(from)) {
    const named = await getName(store, 'base', from)
    if (named !== null)
      baseId = parseStored(`names/base/${from}.json`, named, namedBaseSchema).baseId
  }
  if (baseId === undefined)
    return registerBase(store, isUrl(from) ? from : resolve(folder, from), {
      settings: engines,
      signal,
    })
  const record = await loadBaseRecord(store, baseId)
  if (record === null) throw new HeadstartError('NOT_FOUND', `no base ${from} is registered`)
  return record
}

export interface DatasetRequest {
  readonly spec: DatasetSpec
  readonly split: SplitSpec | undefined
  readonly folder: string
  readonly hashCacheDir: string
  /** Opens buckets for `s3://` sources: `workspace.objects`. */
  readonly objects: OpenObjects
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** A registered dataset keeps its labels: options that say otherwise must not be passed over. */
const assertSameMeaning = ({ target }: Dataset, spec: DatasetSpec): void => {
  const faults = [
    ...(spec.labels === undefined ? [] : ['dataset.labels: a registered dataset has its labels']),
    ...(spec.target === undefined || spec.target === target.kind
      ? []
      : [`dataset.target: ${spec.from} was added as ${target.kind}, not ${spec.target}`]),
  ]
  if (faults.length === 0) return
  throw new HeadstartError(
    'REQUEST_INVALID',
    `the options do not fit the registered dataset ${spec.from}`,
    { details: faults },
  )
}

export interface LocatedDataset extends OpenDataset {
  /** Absolute path of the content where it was indexed, or its `s3://` address. */
  readonly location: string
}

const locationOf = (from: string, folder: string): string =>
  isS3Url(from) ? parseObjectUrl(from).url : resolve(folder, from)

/** The dataset that `from` means, indexed and saved. The caller closes its reader. */
export const resolveDataset = async (
  store: Store,
  request: DatasetRequest,
): Promise<LocatedDataset> => {
  const { spec, split } = request
  const named = isName(spec.from) ? await getName(store, 'dataset', spec.from) : null
  if (named !== null) {
    const { datasetId, from } = parseStored(
      `names/dataset/${spec.from}.json`,
      named,
      namedDatasetSchema,
    )
    const loaded = await loadDataset(store, datasetId)
    assertSameMeaning(loaded, spec)
    const dataset = split === undefined ? loaded : resplit(loaded, split)
    await saveDataset(store, dataset)
    await copyPushed(store, datasetId, dataset)
    const reader = await openContent({ store, objects: request.objects, dataset, from })
    return { dataset, reader, location: from }
  }
  const opened = await indexDataset({
    spec,
    split,
    cacheDir: request.hashCacheDir,
    baseDir: request.folder,
    objects: request.objects,
    signal: request.signal,
    onProgress: request.onProgress,
  })
  await saveDataset(store, opened.dataset)
  return { ...opened, location: locationOf(spec.from, request.folder) }
}
