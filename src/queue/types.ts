// Owns the words of the service: jobs as they are shown, their progress, handles to wait on. HTTP, the
// command line and the SDK share them; types come from the schemas.
import { z } from 'zod'
import type { Listing, RunSummary } from '../catalog/list.js'
import type { Events } from '../experiment/events.js'
import type { ExperimentInput, ExtractionInput } from '../experiment/schema.js'
import { sha256Schema } from '../features/shard.js'
import type { RunRecord } from '../model/run-record.js'
import type { SweepRecord } from '../model/sweep-record.js'
import { JOB_KINDS, type JobKind } from './jobs.js'

const count = z.int().nonnegative()

export const extractionProgressSchema = z.strictObject({
  kind: z.literal('extraction'),
  phase: z.enum(['computing', 'certifying']),
  /** Samples of the dataset. */
  total: count,
  /** Samples that have a row or a reason now. */
  done: count,
  /** Samples that went through the base for this extraction. */
  computed: count,
  shards: z.strictObject({ total: count, done: count, failed: count }),
  /** Why nothing moves; null when something does. */
  waitingFor: z.string().nullable(),
})
export type ExtractionJobProgress = z.output<typeof extractionProgressSchema>

export const shardProgressSchema = z.strictObject({
  kind: z.literal('shard'),
  total: count,
  done: count,
  computed: count,
})
export type ShardJobProgress = z.output<typeof shardProgressSchema>

export const trainingProgressSchema = z.strictObject({
  kind: z.literal('training'),
  phase: z.enum(['extracting', 'training']),
  /** The head whose epoch ended last; counts from 0. */
  head: count,
  heads: count,
  /** Epochs that ended, of all heads together, and the most that there may be. */
  epoch: count,
  epochs: count,
  /** Of that head on the training split; null before the first epoch. */
  loss: z.number().nullable(),
  /** Validation score where there is a validation split, else of the training split. */
  score: z.number().nullable(),
})
export type TrainingJobProgress = z.output<typeof trainingProgressSchema>

export const jobProgressSchema = z.discriminatedUnion('kind', [
  extractionProgressSchema,
  shardProgressSchema,
  trainingProgressSchema,
])
export type JobProgress = z.output<typeof jobProgressSchema>

export const extractionResultSchema = z.strictObject({
  kind: z.literal('extraction'),
  featureSetId: sha256Schema,
  extractorId: sha256Schema,
  samples: count,
  computed: count,
  reused: count,
  quarantined: count,
  seconds: z.number(),
})
export type ExtractionJobResult = z.output<typeof extractionResultSchema>

export const shardResultSchema = z.strictObject({
  kind: z.literal('shard'),
  storeKey: z.string(),
  rows: count,
  computed: count,
  reused: count,
  quarantined: count,
  seconds: z.number(),
})
export type ShardJobResult = z.output<typeof shardResultSchema>

export const trainingResultSchema = z.strictObject({
  kind: z.literal('training'),
  /** Holds what became of every head; null for one head, of which its run says everything. */
  sweep: sha256Schema.nullable(),
  /** One a head that was trained to its end, in the order of the request. */
  runs: z.array(z.strictObject({ id: sha256Schema, trained: z.boolean() })),
  best: sha256Schema,
  seconds: z.number(),
})
export type TrainingJobResult = z.output<typeof trainingResultSchema>

export const jobResultSchema = z.discriminatedUnion('kind', [
  extractionResultSchema,
  shardResultSchema,
  trainingResultSchema,
])
export type JobResult = z.output<typeof jobResultSchema>

export const JOB_STATES = ['waiting', 'active', 'completed', 'failed', 'cancelled'] as const
export type JobState = (typeof JOB_STATES)[number]

export const jobErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  details: z.array(z.string()),
  remedy: z.string(),
})

/** A job as it is shown: nothing in it is secret. */
export const jobViewSchema = z.strictObject({
  /** `<kind>-<64 hex>`, the same for the same request. */
  id: z.string(),
  kind: z.enum(JOB_KINDS),
  state: z.enum(JOB_STATES),
  /** ISO 8601. */
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Tries that failed so far. */
  failedAttempts: count,
  /** What the job works on: ids, never secrets. */
  datasetId: sha256Schema.nullable(),
  progress: jobProgressSchema.nullable(),
  result: jobResultSchema.nullable(),
  /** Of a job that failed; of one that is tried again, the failure of its last try. */
  error: jobErrorSchema.nullable(),
})
export type JobView = z.output<typeof jobViewSchema>

/** Waits for jobs that were enqueued. Dropping it stops nothing. */
export interface JobHandle<Result extends JobResult> {
  /** Job ids, one a job. */
  readonly ids: readonly string[]
  /** Calls back whenever a job looks different, while `finished` is awaited. @returns how to stop. */
  on(event: 'progress', listener: (job: JobView) => void): () => void
  /**
   * The results, in the order of `ids`.
   *
   * @throws the error of the first job that failed; JOB_CANCELLED; JOB_LOST when the queue forgot a
   *   job; INTERRUPTED when the signal fires (the jobs go on).
   */
  finished(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly Result[]>
  /** Asks the jobs to stop. What they computed is kept. */
  cancel(): Promise<void>
}

export interface ExtractionHandle extends JobHandle<ExtractionJobResult> {
  /** One a view, view 0 first. */
  readonly featureSetIds: readonly string[]
}

export interface TrainingHandle extends JobHandle<TrainingJobResult> {
  /** One a head: the runs that there will be, but for heads that are pruned or diverge. */
  readonly runIds: readonly string[]
  /** The extraction of each view that the training waits for. */
  readonly extraction: ExtractionHandle
}

export interface EnqueueOptions {
  /** Relative paths of the request start here. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
  /** Indexing happens here, before anything is enqueued. */
  readonly events?: Events | undefined
}

export interface JobFilter {
  readonly kind?: JobKind | undefined
  readonly state?: JobState | undefined
  /** Newest first; default 100. */
  readonly limit?: number | undefined
}

export interface QueueCounts {
  readonly kind: JobKind
  /** Engine of a shard queue. */
  readonly engine: string | null
  readonly waiting: number
  readonly active: number
  readonly completed: number
  readonly failed: number
  /** Worker processes that take jobs of this queue. */
  readonly workers: number
}

/** What code, the command line and HTTP enqueue to: a queue and a store, or a service over HTTP. */
export interface Service {
  /** `redis://host:port/db` without credentials, the folder of the embedded queue, or `http://...`. */
  readonly url: string
  /** The job that exists is returned when the same features were asked for before. */
  enqueueExtraction(request: ExtractionInput, options: EnqueueOptions): Promise<ExtractionHandle>
  /** Enqueues the extractions that it needs, too. */
  enqueueTraining(experiment: ExperimentInput, options: EnqueueOptions): Promise<TrainingHandle>
  /** @returns null when there is no such job. */
  getJob(id: string): Promise<JobView | null>
  /** Extractions and trainings, unless a kind is named. Newest first. */
  listJobs(filter?: JobFilter): Promise<readonly JobView[]>
  /** A handle to jobs by their ids. */
  attach(ids: readonly string[]): JobHandle<JobResult>
  /** @throws NOT_FOUND. A job that has ended is left as it is. @returns how it looks now. */
  cancelJob(id: string): Promise<JobView>
  /** Forgets a job that has ended; its results stay in the store. @throws NOT_FOUND, IN_USE. */
  removeJob(id: string): Promise<void>
  /** By name, id or the start of an id. @throws NOT_FOUND, saying what exists. */
  getRun(reference: string): Promise<RunRecord>
  /** What became of every head of a sweep. @throws NOT_FOUND. */
  getSweep(id: string): Promise<SweepRecord>
  listRuns(): Promise<Listing<RunSummary>>
  counts(): Promise<readonly QueueCounts[]>
  /** @throws QUEUE_UNAVAILABLE when the queue does not answer in time. */
  ping(): Promise<void>
  close(): Promise<void>
}
