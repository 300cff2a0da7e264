// Owns a dataset in the store: datasets/<datasetId>/index.arrow and dataset.json, written last.
// Refuses a stored dataset whose samples do not give its id.
import { z } from 'zod'
import { HeadstartError, messageOf } from '../errors.js'
import { decodeDatasetIndex, encodeDatasetIndex } from '../features/arrow-index.js'
import { canonicalJson } from '../identity/canonical-json.js'
import { SHA256_PATTERN, type Sha256, sha256 } from '../identity/hash.js'
import { contentIdOf } from '../identity/ids.js'
import type { Store, StoreKey } from '../store/port.js'
import { datasetIdOf } from './dataset-id.js'
import { type Dataset, type Sample, SPLITS, type Split } from './types.js'

const count = z.number().int().nonnegative()
const sha256Schema = z.string().regex(SHA256_PATTERN)

const contentSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('image') }),
  z.strictObject({
    kind: z.literal('tensor'),
    dtype: z.literal('float32'),
    shape: z.array(count.positive()),
  }),
])

const targetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('single'), classes: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('multi'), classes: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('regression'), outputs: z.array(z.string()) }),
])

const splitCountSchema = z.strictObject({
  samples: count,
  /** In the order of the target's classes; empty for regression. */
  classes: z.array(count),
})

export const storedDatasetSchema = z.strictObject({
  datasetId: sha256Schema,
  contentId: sha256Schema,
  content: contentSchema,
  target: targetSchema,
  samples: count,
  counts: z.strictObject({
    train: splitCountSchema,
    validation: splitCountSchema,
    test: splitCountSchema,
  }),
  index: z.strictObject({ sha256: sha256Schema, bytes: count }),
})
/** `dataset.json`: what there is to show of a dataset without reading its index. */
export type StoredDataset = z.output<typeof storedDatasetSchema>

const descriptionKey = (datasetId: Sha256): StoreKey => `datasets/${datasetId}/dataset.json`
const indexKey = (datasetId: Sha256): StoreKey => `datasets/${datasetId}/index.arrow`

const countSplit = ({ samples, target }: Dataset, split: Split) => {
  const classes = target.kind === 'regression' ? [] : target.classes.map(() => 0)
  let total = 0
  for (const sample of samples) {
    if (sample.split !== split) continue
    total += 1
    if (target.kind === 'regression') continue
    for (const index of sample.label) classes[index] = (classes[index] ?? 0) + 1
  }
  return { samples: total, classes }
}

const describeDataset = (dataset: Dataset, index: Uint8Array): StoredDataset => ({
  datasetId: dataset.datasetId,
  contentId: dataset.contentId,
  content: storedDatasetSchema.shape.content.parse(dataset.content),
  target: storedDatasetSchema.shape.target.parse(dataset.target),
  samples: dataset.samples.length,
  counts: {
    train: countSplit(dataset, 'train'),
    validation: countSplit(dataset, 'validation'),
    test: countSplit(dataset, 'test'),
  },
  index: { sha256: sha256(index), bytes: index.length },
})

/**
 * Saves a dataset under its id. Notes are not saved. Saving again changes nothing.
 *
 * @throws STORE_UNAVAILABLE, STORE_FULL, STORE_CONFLICT
 */
export const saveDataset = async (store: Store, dataset: Dataset): Promise<void> => {
  // An index written by another release may have other bytes and the same meaning: keep it.
  if ((await store.head(descriptionKey(dataset.datasetId))) !== null) return
  const index = encodeDatasetIndex(dataset.samples)
  const description = Buffer.from(canonicalJson(describeDataset(dataset, index)), 'utf8')
  await store.putIfAbsent(indexKey(dataset.datasetId), index)
  await store.putIfAbsent(descriptionKey(dataset.datasetId), description)
}

const corrupt = (datasetId: Sha256, fault: string, cause?: unknown): HeadstartError =>
  new HeadstartError('STORE_CORRUPT', `the dataset ${datasetId}: ${fault}`, { cause })

/**
 * What the store says about a dataset.
 *
 * @throws NOT_FOUND, STORE_CORRUPT
 */
export const loadStoredDataset = async (
  store: Store,
  datasetId: Sha256,
): Promise<StoredDataset> => {
  const bytes = SHA256_PATTERN.test(datasetId) ? await store.get(descriptionKey(datasetId)) : null
  if (bytes === null) throw new HeadstartError('NOT_FOUND', `there is no dataset ${datasetId}`)
  try {
    return storedDatasetSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (cause) {
    throw corrupt(datasetId, `dataset.json is broken (${messageOf(cause)})`, cause)
  }
}

const isSplit = (name: string): name is Split => (SPLITS as readonly string[]).includes(name)

const parseSamples = (datasetId: Sha256, index: Uint8Array): Sample[] => {
  try {
    return decodeDatasetIndex(index).map((row) => {
      const { split } = row
      if (!isSplit(split)) throw new Error(`unknown split ${split}`)
      return { ...row, split }
    })
  } catch (cause) {
    throw corrupt(datasetId, `index.arrow is broken (${messageOf(cause)})`, cause)
  }
}

/**
 * Loads a dataset and checks that its samples give its id.
 *
 * @throws NOT_FOUND, STORE_CORRUPT
 */
export const loadDataset = async (store: Store, datasetId: Sha256): Promise<Dataset> => {
  const stored = await loadStoredDataset(store, datasetId)
  const index = await store.get(indexKey(datasetId))
  if (index === null) throw corrupt(datasetId, 'index.arrow is missing')
  if (index.length !== stored.index.bytes || sha256(index) !== stored.index.sha256) {
    throw corrupt(datasetId, 'index.arrow is not the one that was recorded')
  }
  const samples = parseSamples(datasetId, index)
  const { content, target } = stored
  const contentId = contentIdOf(samples.map(({ key }) => key))
  if (datasetIdOf({ content, contentId, samples, target }) !== datasetId) {
    throw corrupt(datasetId, 'its samples do not give its id')
  }
  return { datasetId, contentId, content, target, samples, notes: [] }
}
