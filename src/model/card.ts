// Owns the model card: what an exported model is, as data. card-text.ts writes it for people.
import { basename } from 'node:path'
import { z } from 'zod'
import { BASE_FORMATS, extractorSpecSchema } from '../extractor/spec.js'
import { sha256Schema } from '../features/shard.js'
import { runRecordSchema } from './run-record.js'

export const exportCheckSchema = z.strictObject({
  /** Seeded inputs that went through the run and through the written files. */
  samples: z.int().positive(),
  /** Largest difference between the two, over all outputs of the head and of the whole model. */
  maxAbsDiff: z.number().nonnegative(),
  /** Allowed difference relative to max(1, |output|): absolute for probabilities. */
  tolerance: z.number().nonnegative(),
})
export type ExportCheck = z.infer<typeof exportCheckSchema>

const run = runRecordSchema.shape

export const modelCardSchema = z.strictObject({
  version: z.literal(1),
  files: z.strictObject({
    /** Features to outputs. */
    head: z.string(),
    /** Normalised input to outputs; null for a GraphModel, which has no layers to compose. */
    model: z.string().nullable(),
    /** Every file of both, relative to the card. */
    all: z.array(
      z.strictObject({ path: z.string(), bytes: z.int().nonnegative(), sha256: sha256Schema }),
    ),
  }),
  target: run.target,
  /** How content becomes features. `input` is all that is needed to feed the composed model. */
  extractor: extractorSpecSchema,
  /** Shape of one input of the head, without the batch axis. */
  headInputShape: z.array(z.int().positive()),
  data: z.strictObject({
    samples: run.dataset.shape.samples,
    quarantined: run.dataset.shape.quarantined,
    from: z.string(),
  }),
  metrics: run.metrics,
  training: z.strictObject({
    epochs: z.int(),
    bestEpoch: z.int(),
    stoppedEarly: z.boolean(),
    seconds: z.number(),
  }),
  parity: run.parity,
  exportCheck: exportCheckSchema,
  lineage: z.strictObject({
    runId: sha256Schema,
    createdAt: z.iso.datetime(),
    base: z.strictObject({ id: sha256Schema, from: z.string(), format: z.enum(BASE_FORMATS) }),
    /** View 0 first. */
    extractors: run.extractors,
    datasetId: sha256Schema,
    contentId: sha256Schema,
    head: z.json(),
    seed: z.int(),
  }),
  versions: z.record(z.string(), z.string()),
  /** What nobody measured, and what weakens the numbers above. */
  limits: z.array(z.string()),
})
export type ModelCard = z.infer<typeof modelCardSchema>
type Run = z.infer<typeof runRecordSchema>

/** Below this a class's recall moves by more than 3 points with one sample. */
const FEW_SAMPLES = 30

const smallClasses = ({ metrics }: Run): string[] => {
  const split = metrics.test ?? metrics.validation
  if (split === undefined || split.kind === 'regression') return []
  return split.perClass.filter(({ support }) => support < FEW_SAMPLES).map(({ name }) => name)
}

const limitsOf = (record: Run, hasModel: boolean): string[] => {
  const { metrics, dataset, parity, extractors } = record
  const small = smallClasses(record)
  const watched = record.stoppedEarly || record.bestEpoch < record.history.length
  return [
    ...(metrics.test === undefined
      ? ['There was no test split: no number comes from samples that nobody looked at.']
      : []),
    ...(metrics.validation !== undefined && watched
      ? ['The epoch was chosen on the validation split, so its numbers are optimistic.']
      : []),
    ...(small.length > 0
      ? [`Fewer than ${FEW_SAMPLES} measured samples each: ${small.join(', ')}.`]
      : []),
    ...(dataset.quarantined > 0
      ? [
          `${dataset.quarantined} samples could not be decoded or computed; nothing is known of them.`,
        ]
      : []),
    ...(extractors.length > 1
      ? ['Training also saw augmented views; all numbers are of plain samples.']
      : []),
    ...(parity.bitwise
      ? []
      : ['Training and serving features agree within a tolerance, not bit by bit.']),
    ...(hasModel ? [] : ['The base is a GraphModel: only the head could be exported.']),
    'Other data, groups of people, calibration, robustness and speed were not measured.',
    'Other engines, devices and TF.js versions give slightly different numbers.',
  ]
}

export interface CardFacts {
  readonly files: ModelCard['files']
  readonly exportCheck: ExportCheck
  readonly headInputShape: readonly number[]
  /** Version of what exports. */
  readonly exportedBy: string
}

/** The card of a run. No clock in it: the same run gives the same card. */
export const describeModel = (record: Run, facts: CardFacts): ModelCard =>
  modelCardSchema.parse({
    version: 1,
    files: facts.files,
    target: record.target,
    extractor: record.extractor,
    headInputShape: [...facts.headInputShape],
    data: {
      samples: record.dataset.samples,
      quarantined: record.dataset.quarantined,
      // A card is handed to others: where the data lay on this machine is none of their business.
      from: basename(record.dataset.from),
    },
    metrics: record.metrics,
    training: {
      epochs: record.history.length,
      bestEpoch: record.bestEpoch,
      stoppedEarly: record.stoppedEarly,
      seconds: record.seconds.train,
    },
    parity: record.parity,
    exportCheck: facts.exportCheck,
    lineage: {
      runId: record.runId,
      createdAt: record.createdAt,
      base: { ...record.base, format: record.extractor.base.format },
      extractors: record.extractors,
      datasetId: record.dataset.datasetId,
      contentId: record.dataset.contentId,
      head: record.head,
      seed: record.seed,
    },
    versions: {
      ...record.versions,
      engine: `${record.parity.engine.engine}: ${record.parity.engine.version}`,
      device: record.parity.engine.device,
      exportedBy: facts.exportedBy,
    },
    limits: limitsOf(record, facts.files.model !== null),
  })
