// Owns the model card: what an exported model is, as data. card-text.ts writes it for people.
import { basename } from 'node:path'
import { z } from 'zod'
import { BASE_FORMATS, extractorSpecSchema } from '../extractor/spec.js'
import { sha256Schema } from '../features/shard.js'
import {
  type ExportCheck,
  exportCheckSchema,
  filesSchema,
  foldedSchema,
  notExportedSchema,
  PART_WORDS,
} from './card-files.js'
import { runRecordSchema } from './run-record.js'

const run = runRecordSchema.shape

export const modelCardSchema = z.strictObject({
  version: z.literal(2),
  files: filesSchema,
  notExported: notExportedSchema,
  foldedBatchNormalization: foldedSchema.nullable(),
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

const limitsOf = (record: Run, notExported: ModelCard['notExported']): string[] => {
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
    ...notExported.map(({ part, reason }) => `Not exported: ${PART_WORDS[part]}; ${reason}.`),
    'Other data, groups of people, calibration, robustness and speed were not measured.',
    'Other engines, devices and TF.js versions give slightly different numbers.',
  ]
}

export interface CardFacts {
  readonly files: ModelCard['files']
  readonly notExported: readonly ModelCard['notExported'][number][]
  readonly foldedBatchNormalization: ModelCard['foldedBatchNormalization']
  readonly exportCheck: ExportCheck
  readonly headInputShape: readonly number[]
  /** Version of what exports. */
  readonly exportedBy: string
}

/** The card of a run. No clock in it: the same run gives the same card. */
export const describeModel = (record: Run, facts: CardFacts): ModelCard =>
  modelCardSchema.parse({
    version: 2,
    files: facts.files,
    notExported: [...facts.notExported],
    foldedBatchNormalization: facts.foldedBatchNormalization,
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
    limits: limitsOf(record, [...facts.notExported]),
  })
