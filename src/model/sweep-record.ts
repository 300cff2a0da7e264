// Owns sweep.json: the heads that were trained together, what became of each, and the best of them.
// Runs know nothing of their sweep: one run may belong to several.
import { z } from 'zod'
import { isHeadstartError } from '../errors.js'
import { POOLINGS } from '../extractor/spec.js'
import { sha256Schema } from '../features/shard.js'
import { SHA256_PATTERN, type Sha256, sha256OfJson } from '../identity/hash.js'
import { encodeJson, getJson } from '../store/json.js'
import { isName } from '../store/names.js'
import type { Store, StoreKey } from '../store/port.js'
import { historySchema, splitMetricsSchema } from './run-record.js'

export const SELECT_METRICS = [
  'accuracy',
  'top5Accuracy',
  'macroF1',
  'r2',
  'rmse',
  'mae',
  'loss',
] as const
export type SelectMetric = (typeof SELECT_METRICS)[number]

const count = z.int().nonnegative()

export const selectionSchema = z.strictObject({
  metric: z.enum(SELECT_METRICS),
  higherIsBetter: z.boolean(),
})
/** By what the best head is chosen, on the validation split. */
export type Selection = z.output<typeof selectionSchema>

const halvingSchema = z.strictObject({ epochs: z.int().positive(), factor: z.int().min(2) })

export const SWEEP_HEAD_STATES = ['trained', 'pruned', 'diverged'] as const

const sweepHeadSchema = z.strictObject({
  /** The complete head spec. */
  head: z.json(),
  cut: z.string(),
  pooling: z.enum(POOLINGS),
  views: z.int().positive(),
  state: z.enum(SWEEP_HEAD_STATES),
  /** Null unless trained. */
  runId: sha256Schema.nullable(),
  /** Epochs that were trained. */
  epochs: count,
  /** What the best is chosen by; null where it was not measured. */
  value: z.number().nullable(),
  validation: splitMetricsSchema.nullable(),
  /** The value on each held-out fold. */
  folds: z.array(z.number()).nullable(),
  /** Why it was pruned or how it diverged. */
  message: z.string().optional(),
  /** Of a head without a run, whose record would have it. */
  history: historySchema.optional(),
})
export type SweepHead = z.output<typeof sweepHeadSchema>

export const sweepRecordSchema = z.strictObject({
  version: z.literal(1),
  sweepId: sha256Schema,
  createdAt: z.iso.datetime(),
  /** The name that the best run got. */
  name: z.string().refine(isName).optional(),
  dataset: z.strictObject({ datasetId: sha256Schema, contentId: sha256Schema }),
  base: z.strictObject({ id: sha256Schema, from: z.string() }),
  select: selectionSchema,
  folds: z.int().min(2).nullable(),
  halving: halvingSchema.nullable(),
  /** In the order of the plan. */
  heads: z.array(sweepHeadSchema).min(1),
  best: z.strictObject({
    /** Of `heads`. */
    index: count,
    runId: sha256Schema,
    /** Read once, for this head alone; null where there is no test split. */
    test: splitMetricsSchema.nullable(),
  }),
})
export type SweepRecord = z.output<typeof sweepRecordSchema>

/** Identity of a sweep: its trainings in any order, and how the best of them was chosen. */
export const sweepIdOf = (request: {
  readonly runKeys: readonly Sha256[]
  readonly select: Selection
  readonly folds: number | null
  readonly halving: { readonly epochs: number; readonly factor: number } | null
}): Sha256 => sha256OfJson({ ...request, runKeys: [...request.runKeys].sort() })

/** One head is no sweep: its run says everything, unless it was cross-validated. */
export const isSweep = ({
  heads,
}: {
  readonly heads: readonly Pick<SweepHead, 'folds'>[]
}): boolean => heads.length > 1 || heads.some(({ folds }) => folds !== null)

export const sweepKeyPrefix = (sweepId: Sha256): string => `sweeps/${sweepId}/`
const recordKey = (sweepId: Sha256): StoreKey => `${sweepKeyPrefix(sweepId)}sweep.json`

/** @throws STORE_CORRUPT when the record cannot be read. */
export const loadSweep = (store: Store, sweepId: Sha256): Promise<SweepRecord | null> =>
  getJson(store, recordKey(sweepId), sweepRecordSchema)

/**
 * Publishes a sweep. One that exists already stays and is returned: its test split was read.
 *
 * @throws STORE_CONFLICT when it is being changed by others.
 */
export const saveSweep = async (store: Store, sweep: SweepRecord): Promise<SweepRecord> => {
  const existing = await loadSweep(store, sweep.sweepId)
  if (existing !== null) return existing
  // Through the schema, which leaves out what is undefined.
  const content = encodeJson(JSON.parse(JSON.stringify(sweepRecordSchema.parse(sweep))))
  try {
    await store.replace(recordKey(sweep.sweepId), content, null)
    return sweep
  } catch (error) {
    const faster = isHeadstartError(error, 'STORE_CONFLICT')
      ? await loadSweep(store, sweep.sweepId)
      : null
    if (faster === null) throw error
    return faster
  }
}

/** Ids of all sweeps, sorted. */
export const listSweepIds = async (store: Store): Promise<Sha256[]> => {
  const ids: Sha256[] = []
  for await (const { key } of store.list('sweeps/')) {
    const [, id = '', file] = key.split('/')
    if (SHA256_PATTERN.test(id) && file === 'sweep.json') ids.push(id)
  }
  return ids
}
