// Owns run.json: what a published run is, where its parts lie, and finding runs again.
import { z } from 'zod'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { extractorSpecSchema, viewSchema } from '../extractor/spec.js'
import { engineInfoSchema, sha256Schema } from '../features/shard.js'
import type { HeadArtifacts, SplitMetrics } from '../head/types.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { type Sha256, sha256 } from '../identity/hash.js'
import { encodeJson, getJson } from '../store/json.js'
import type { Store, StoreKey } from '../store/port.js'

const storedFileSchema = z.strictObject({
  key: z.string(),
  bytes: z.int().nonnegative(),
  sha256: sha256Schema,
})

const classMetrics = z.strictObject({
  name: z.string(),
  precision: z.number(),
  recall: z.number(),
  f1: z.number(),
  support: z.number(),
})
export const splitMetricsSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('single'),
    samples: z.number(),
    loss: z.number(),
    accuracy: z.number(),
    top5Accuracy: z.number(),
    macroF1: z.number(),
    perClass: z.array(classMetrics),
    confusion: z.array(z.array(z.number())),
  }),
  z.strictObject({
    kind: z.literal('multi'),
    samples: z.number(),
    loss: z.number(),
    accuracy: z.number(),
    macroF1: z.number(),
    perClass: z.array(classMetrics),
    confusion: z.array(z.array(z.array(z.number()))),
  }),
  z.strictObject({
    kind: z.literal('regression'),
    samples: z.number(),
    loss: z.number(),
    mae: z.number(),
    rmse: z.number(),
    r2: z.number(),
    perOutput: z.array(
      z.strictObject({ name: z.string(), mae: z.number(), rmse: z.number(), r2: z.number() }),
    ),
  }),
]) satisfies z.ZodType<SplitMetrics>

const epochValue = z.strictObject({ loss: z.number(), score: z.number() })

/** One entry an epoch. */
export const historySchema = z.array(
  z.strictObject({ epoch: z.int(), train: epochValue, validation: epochValue.nullable() }),
)

export const paritySchema = z.strictObject({
  /** Samples whose features were computed again on the serving path. */
  samples: z.int().nonnegative(),
  /** Whether every bit agreed. */
  bitwise: z.boolean(),
  maxAbsDiff: z.number().nonnegative(),
  /** Allowed difference relative to max(1, |feature|): 0 on the same engine version and device. */
  tolerance: z.number().nonnegative(),
  /** What computed them again. */
  engine: engineInfoSchema,
})
export type Parity = z.infer<typeof paritySchema>

export const runRecordSchema = z.strictObject({
  version: z.literal(1),
  runId: sha256Schema,
  createdAt: z.iso.datetime(),
  base: z.strictObject({ id: sha256Schema, from: z.string() }),
  /** View 0 first; predictions use view 0. */
  extractors: z.array(
    z.strictObject({ extractorId: sha256Schema, featureSetId: sha256Schema, view: viewSchema }),
  ),
  extractor: extractorSpecSchema,
  dataset: z.strictObject({
    datasetId: sha256Schema,
    contentId: sha256Schema,
    /** Absolute path of the content where the run was trained. */
    from: z.string(),
    samples: z.strictObject({ train: z.int(), validation: z.int(), test: z.int() }),
    quarantined: z.int().nonnegative(),
  }),
  target: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('single'), classes: z.array(z.string()) }),
    z.strictObject({ kind: z.literal('multi'), classes: z.array(z.string()) }),
    z.strictObject({ kind: z.literal('regression'), outputs: z.array(z.string()) }),
  ]),
  /** The complete head spec. */
  head: z.json(),
  seed: z.int(),
  metrics: z.strictObject({
    train: splitMetricsSchema.optional(),
    validation: splitMetricsSchema.optional(),
    test: splitMetricsSchema.optional(),
  }),
  history: historySchema,
  bestEpoch: z.int(),
  stoppedEarly: z.boolean(),
  /** The train split at the kept weights in both modes; null or left out without BatchNormalization. */
  batchNormalization: z
    .strictObject({ layers: z.int(), trainingMode: epochValue, inferenceMode: epochValue })
    .nullable()
    .optional(),
  parity: paritySchema,
  /** Versions of what made the run. */
  versions: z.record(z.string(), z.string()),
  seconds: z.strictObject({ train: z.number() }),
  artifacts: z.strictObject({ topology: storedFileSchema, weights: storedFileSchema }),
})
export type RunRecord = z.infer<typeof runRecordSchema>

const topologySchema = z.strictObject({
  topology: z.json(),
  weightSpecs: z.array(
    z.strictObject({
      name: z.string(),
      shape: z.array(z.int().nonnegative()),
      dtype: z.literal('float32'),
    }),
  ),
})

export const runKeyPrefix = (runId: Sha256): string => `runs/${runId}/`
const recordKey = (runId: Sha256): StoreKey => `${runKeyPrefix(runId)}run.json`

export const loadRun = (store: Store, runId: Sha256): Promise<RunRecord | null> =>
  getJson(store, recordKey(runId), runRecordSchema)

/** Writes the head's files under their own hashes, so that doubled trainings never collide. */
export const saveHead = async (
  store: Store,
  runId: Sha256,
  { topology, weightSpecs, weights }: HeadArtifacts,
): Promise<RunRecord['artifacts']> => {
  const save = async (content: Uint8Array, extension: string) => {
    const hash = sha256(content)
    const key = `${runKeyPrefix(runId)}head/${hash}.${extension}`
    await store.putIfAbsent(key, content)
    return { key, bytes: content.length, sha256: hash }
  }
  const described = topologySchema.parse({ topology, weightSpecs })
  return {
    topology: await save(encodeJson(described), 'json'),
    weights: await save(weights, 'bin'),
  }
}

/** @throws STORE_CORRUPT when a file is missing or not the one that was recorded. */
export const loadHead = async (store: Store, run: RunRecord): Promise<HeadArtifacts> => {
  const { topology, weights } = run.artifacts
  const described = await getJson(store, topology.key, topologySchema)
  const bytes = await store.get(weights.key)
  if (described === null || bytes === null || sha256(bytes) !== weights.sha256)
    throw new HeadstartError('STORE_CORRUPT', `the head of run ${run.runId} is not complete`)
  return { ...described, weights: bytes }
}

/** Publishes a run: its record is written last. A run that exists already stays and is returned. */
export const publishRun = async (store: Store, run: RunRecord): Promise<RunRecord> => {
  const existing = await loadRun(store, run.runId)
  if (existing !== null) return existing
  // Through JSON, which drops the splits that have no metrics.
  const content = encodeJson(JSON.parse(JSON.stringify(run)) as JsonValue)
  try {
    await store.replace(recordKey(run.runId), content, null)
    return run
  } catch (error) {
    const faster = isHeadstartError(error, 'STORE_CONFLICT')
      ? await loadRun(store, run.runId)
      : null
    if (faster === null) throw error
    return faster
  }
}

/**
 * Adds the metrics of the test split, which is read for the best head of a sweep alone. Metrics that
 * are there stay: they are of the same head and the same samples.
 *
 * @throws NOT_FOUND when the run was removed meanwhile.
 */
export const addTestMetrics = async (
  store: Store,
  runId: Sha256,
  test: SplitMetrics,
): Promise<RunRecord> => {
  for (;;) {
    const seen = await store.head(recordKey(runId))
    const run = await loadRun(store, runId)
    if (seen === null || run === null)
      throw new HeadstartError('NOT_FOUND', `the run ${runId} was removed`)
    if (run.metrics.test !== undefined) return run
    const tested = { ...run, metrics: { ...run.metrics, test } }
    const content = encodeJson(JSON.parse(JSON.stringify(tested)) as JsonValue)
    try {
      await store.replace(recordKey(runId), content, seen.version)
      return runRecordSchema.parse(JSON.parse(JSON.stringify(tested)))
    } catch (error) {
      if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
    }
  }
}

/** Ids of all published runs. */
export const listRunIds = async (store: Store): Promise<Sha256[]> => {
  const ids: Sha256[] = []
  for await (const { key } of store.list('runs/')) {
    const [, id, file] = key.split('/')
    if (id !== undefined && file === 'run.json') ids.push(id)
  }
  return ids
}
