// Owns the shapes of answers that no other schema describes; each is held to the type of what sends it.
import { z } from 'zod'
import type { Damaged } from '../catalog/documents.js'
import type {
  BaseSummary,
  DatasetSummary,
  FeatureSetSummary,
  KeyMetrics,
  RunSummary,
} from '../catalog/list.js'
import type { Removal } from '../catalog/remove.js'
import { storedDatasetSchema } from '../dataset/save.js'
import { baseRecordSchema } from '../extractor/base/load.js'
import { compiledRecordSchema } from '../extractor/compile/record.js'
import { extractorSpecSchema } from '../extractor/spec.js'
import { featureSetSchema } from '../features/feature-set.js'
import { sha256Schema } from '../features/shard.js'
import { runRecordSchema } from '../model/run-record.js'
import { JOB_KINDS } from '../queue/jobs.js'
import { jobViewSchema, type QueueCounts } from '../queue/types.js'

const count = z.int().nonnegative()
const names = z.array(z.string())
const ids = z.array(sha256Schema)

const damagedSchema = z.strictObject({ key: z.string(), problem: z.string() })
damagedSchema satisfies z.ZodType<Damaged>

/** A list, and the documents that cannot be read. */
export const listingOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), damaged: z.array(damagedSchema) })

const keyMetricsSchema = z.strictObject({
  kind: z.enum(['single', 'multi', 'regression']),
  samples: count,
  loss: z.number(),
  score: z.number().describe('accuracy; for regression R2'),
})
keyMetricsSchema satisfies z.ZodType<KeyMetrics>

export const runSummarySchema = z.strictObject({
  id: sha256Schema,
  names,
  createdAt: z.string(),
  base: z.strictObject({ id: sha256Schema, from: z.string(), cut: z.string() }),
  dataset: z.strictObject({
    id: sha256Schema,
    from: z.string(),
    samples: runRecordSchema.shape.dataset.shape.samples,
  }),
  views: count,
  head: z.json(),
  seed: z.int(),
  metrics: z.strictObject({
    train: keyMetricsSchema.nullable(),
    validation: keyMetricsSchema.nullable(),
    test: keyMetricsSchema.nullable(),
  }),
  bytes: count,
})
runSummarySchema satisfies z.ZodType<RunSummary>

export const shownRunSchema = z.strictObject({ run: runRecordSchema, names, bytes: count })

export const baseSummarySchema = z.strictObject({
  id: sha256Schema,
  names,
  format: baseRecordSchema.shape.format,
  parameters: count,
  inputShape: baseRecordSchema.shape.inputShape,
  cuts: count,
  bytes: count,
})
baseSummarySchema satisfies z.ZodType<BaseSummary>

export const shownBaseSchema = z.strictObject({
  base: baseRecordSchema,
  compiled: compiledRecordSchema.nullable(),
  names,
  bytes: count,
  runs: ids,
  featureSets: ids,
})

export const layersSchema = baseRecordSchema.pick({ baseId: true, cuts: true })

export const datasetSummarySchema = z.strictObject({
  id: sha256Schema,
  names,
  contentId: sha256Schema,
  content: storedDatasetSchema.shape.content,
  target: z.enum(['single', 'multi', 'regression']),
  classes: count,
  samples: count,
  splits: z.strictObject({ train: count, validation: count, test: count }),
  bytes: count,
})
datasetSummarySchema satisfies z.ZodType<DatasetSummary>

export const shownDatasetSchema = z.strictObject({
  dataset: storedDatasetSchema,
  names: z.array(z.strictObject({ name: z.string(), from: z.string().nullable() })),
  bytes: count,
  runs: ids,
  featureSets: ids,
})

export const featureSetSummarySchema = z.strictObject({
  id: sha256Schema,
  extractorId: sha256Schema,
  contentId: sha256Schema,
  extractor: z
    .strictObject({
      base: sha256Schema,
      cut: z.string(),
      pooling: extractorSpecSchema.shape.pooling,
      engine: extractorSpecSchema.shape.engine,
      view: count,
    })
    .nullable(),
  featureShape: z.array(count),
  rows: count,
  quarantined: count,
  shards: count,
  bytes: count,
})
featureSetSummarySchema satisfies z.ZodType<FeatureSetSummary>

export const shownFeatureSetSchema = z.strictObject({
  featureSet: featureSetSchema,
  extractor: extractorSpecSchema.nullable(),
  bytes: count,
  runs: ids,
})

export const removalSchema = z.strictObject({
  kind: z.enum(['run', 'dataset', 'base', 'featureSet', 'sweep']),
  id: sha256Schema,
  names,
  objects: count,
  bytes: count,
})
removalSchema satisfies z.ZodType<Removal>

export const queueCountsSchema = z.strictObject({
  kind: z.enum(JOB_KINDS),
  engine: z.string().nullable(),
  waiting: count,
  active: count,
  completed: count,
  failed: count,
  workers: count,
})
queueCountsSchema satisfies z.ZodType<QueueCounts>

export const queuesSchema = z.strictObject({ items: z.array(queueCountsSchema) })
export const jobsSchema = z.strictObject({ items: z.array(jobViewSchema) })

const jobIds = z.array(z.string())

export const extractionAcceptedSchema = z.strictObject({
  jobs: jobIds.describe('one a view, view 0 first'),
  featureSets: ids.describe('one a view, view 0 first'),
})

export const trainingAcceptedSchema = z.strictObject({
  jobs: jobIds,
  extractions: jobIds.describe('the jobs that the training waits for, one a view'),
  featureSets: ids.describe('one a view, view 0 first'),
  runs: ids.describe('the runs that there will be, one a head'),
})
