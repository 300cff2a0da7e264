// Owns the job registry: each kind's payload with its version, its deterministic id; the retry policy
// and how long jobs are kept. Payloads hold ids and heads: jobs lie in clear text, and never hold a secret.
import { z } from 'zod'
import { foldsSchema, halvingSchema } from '../experiment/sweep/schema.js'
import { ENGINES, type EngineName, POOLINGS } from '../extractor/spec.js'
import { sha256Schema } from '../features/shard.js'
import { headSpecSchema } from '../head/spec.js'
import { type Sha256, sha256, sha256OfJson } from '../identity/hash.js'
import { selectionSchema } from '../model/sweep-record.js'

export const JOB_KINDS = ['extraction', 'shard', 'training'] as const
export type JobKind = (typeof JOB_KINDS)[number]

/** Raised whenever an older worker could misread a payload. */
export const PAYLOAD_VERSION = 2

/** Set from outside on a job that is to end; its worker looks for it. */
const control = {
  cancelled: z.literal(true).optional(),
  /** When, so that a job is told from one that is taken up only to end. Milliseconds since 1970. */
  cancelledAtMs: z.int().positive().optional(),
}

export const extractionPayloadSchema = z.strictObject({
  version: z.literal(PAYLOAD_VERSION),
  extractorId: sha256Schema,
  /** Other extractors of the request that share its forward pass. */
  beside: z.array(sha256Schema).default([]),
  datasetId: sha256Schema,
  /** Where the content lies: an absolute path, or `s3://bucket/prefix`. */
  content: z.string(),
  ...control,
})
export type ExtractionPayload = z.output<typeof extractionPayloadSchema>

export const shardPayloadSchema = z.strictObject({
  version: z.literal(PAYLOAD_VERSION),
  /** The extraction that asked first; another one may share the shard. */
  extraction: z.string(),
  /** They share a forward pass; sorted. What the store lacks of any of them is computed. */
  extractorIds: z.array(sha256Schema).min(1),
  datasetId: sha256Schema,
  content: z.string(),
  /** Which segment of their plans: see planSegments. */
  storeKey: z.string(),
  rows: z.int().positive(),
  /** Store keys of older shards whose rows may be copied; null: too many to name, look for them. */
  overlapping: z.array(z.string()).nullable(),
  ...control,
})
export type ShardPayload = z.output<typeof shardPayloadSchema>

const candidateSchema = z.strictObject({
  head: headSpecSchema,
  /** Index in `cuts`. */
  cut: z.int().nonnegative(),
  views: z.int().positive(),
})

export const trainingPayloadSchema = z.strictObject({
  version: z.literal(PAYLOAD_VERSION),
  datasetId: sha256Schema,
  content: z.string(),
  /** What the user called the base; for the record. */
  base: z.string(),
  /** One a cut of the experiment; its extractors one a view, view 0 first. */
  cuts: z
    .array(
      z.strictObject({
        cut: z.string(),
        pooling: z.enum(POOLINGS),
        extractorIds: z.array(sha256Schema).min(1),
      }),
    )
    .min(1),
  maxQuarantine: z.number(),
  candidates: z.array(candidateSchema).min(1),
  select: selectionSchema,
  folds: foldsSchema.nullable(),
  halving: halvingSchema.nullable(),
  seed: z.int(),
  /** The best run gets this name. */
  name: z.string().optional(),
  ...control,
})
export type TrainingPayload = z.output<typeof trainingPayloadSchema>

export const PAYLOAD_SCHEMAS = {
  extraction: extractionPayloadSchema,
  shard: shardPayloadSchema,
  training: trainingPayloadSchema,
} as const

export interface PayloadOf {
  readonly extraction: ExtractionPayload
  readonly shard: ShardPayload
  readonly training: TrainingPayload
}

/** The extractors that one job of an extraction computes: the same list for all that share the pass. */
export const extractorsOf = ({
  extractorId,
  beside,
}: Pick<ExtractionPayload, 'extractorId' | 'beside'>): readonly Sha256[] =>
  [...new Set([extractorId, ...beside])].sort()

/** An extraction is one feature set: whoever asks for the same features shares the job. */
export const extractionJobId = (featureSetId: Sha256): string => `extraction-${featureSetId}`

/** A shard, or a segment of several, is known by its store key: overlapping extractions share the job. */
export const shardJobId = (storeKey: string): string => `shard-${sha256(storeKey)}`

/** The same heads on the same features, whoever asks, are one training. */
export const trainingJobId = (
  sweepId: Sha256,
  { name = null, maxQuarantine }: { name?: string | null | undefined; maxQuarantine: number },
): string => `training-${sha256OfJson({ sweepId, name, maxQuarantine })}`

const JOB_ID_PATTERN = new RegExp(`^(${JOB_KINDS.join('|')})-[0-9a-f]{64}$`)

/** The kind of a job id; null when the text is none. */
export const kindOfJobId = (id: string): JobKind | null =>
  (JOB_ID_PATTERN.exec(id)?.[1] as JobKind | undefined) ?? null

/** Shards wait in a queue per engine, so that only workers that have the engine take them. */
export const shardQueueName = (engine: EngineName): string => `headstart-shard-${engine}`

export const EXTRACTION_QUEUE = 'headstart-extraction'
export const TRAINING_QUEUE = 'headstart-training'

export const queueNamesOf = (kind: JobKind): readonly string[] => {
  if (kind === 'shard') return ENGINES.map(shardQueueName)
  return [kind === 'extraction' ? EXTRACTION_QUEUE : TRAINING_QUEUE]
}

const DAY_SECONDS = 86_400

/**
 * Of every kind of job. What may pass is tried again, with delays that double, and jitter. The store
 * is the truth, so ended jobs are kept only to be looked at: results for a day, failures for a week.
 */
export const JOB_OPTIONS = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  removeOnComplete: { age: DAY_SECONDS, count: 20_000 },
  removeOnFail: { age: 7 * DAY_SECONDS, count: 20_000 },
} as const
