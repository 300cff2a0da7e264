// Owns the experiment file: its schema, its defaults and the report of all its faults at once.
import { z } from 'zod'
import { datasetSpecSchema, splitSpecSchema } from '../dataset/spec.js'
import { HeadstartError } from '../errors.js'
import { preprocessSchema } from '../extractor/preprocess.js'
import { ENGINE_REQUESTS, PRECISIONS } from '../extractor/spec.js'
import { isName } from '../store/names.js'
import { baseSchema } from './base-schema.js'
import { headsJsonSchema } from './sweep/json-schema.js'
import { foldsSchema, halvingSchema, headsSchema, selectSchema } from './sweep/schema.js'

/** [least, most]. */
const rangeSchema = (max: number) =>
  z
    .tuple([z.number().gt(0).max(max), z.number().gt(0).max(max)])
    .refine(([least, most]) => least <= most, 'the least comes first')
const areaSchema = rangeSchema(1)
const ratioSchema = rangeSchema(10)

/** How the views beside the plain one are made. */
export const augmentSchema = z
  .strictObject({
    seed: z.int().nonnegative().default(1),
    flip: z.boolean().default(true).describe('mirror left and right half of the time'),
    crop: z
      .strictObject({
        area: areaSchema.default([0.35, 1]).describe('fraction of the image, [least, most]'),
        ratio: ratioSchema.default([3 / 4, 4 / 3]).describe('width / height, [least, most]'),
      })
      .nullable()
      .prefault({})
      .describe('random resized crop; null: none'),
    brightness: z.number().min(0).max(1).default(0.2).describe('factor from [1 - x, 1 + x]'),
    contrast: z.number().min(0).max(1).default(0.2),
    saturation: z.number().min(0).max(1).default(0.2),
  })
  .describe('augmentation of the views beside the plain one')

export const experimentSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z
    .string()
    .refine(isName, '1 to 100 letters, digits, ".", "_", "-"')
    .optional()
    .describe('the best run gets this model name'),
  base: baseSchema,
  preprocess: preprocessSchema.prefault({}),
  dataset: datasetSpecSchema,
  split: splitSpecSchema
    .unwrap()
    .optional()
    .describe('by sample key; default: the splits of the dataset, else 0.8/0.1/0.1'),
  maxQuarantine: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('fraction of samples that may be undecodable'),
  heads: headsSchema,
  select: selectSchema.optional(),
  folds: foldsSchema.nullable().default(null),
  halving: halvingSchema.nullable().default(null),
  engine: z.enum(ENGINE_REQUESTS).default('auto'),
  precision: z
    .enum(PRECISIONS)
    .default('fp32')
    .describe('arithmetic of the base; fp16 needs a GPU and is another extractor'),
  views: z.int().min(1).max(64).default(1).describe('the plain sample and views - 1 augmentations'),
  augment: augmentSchema.prefault({}),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('of the heads'),
})
export type Experiment = z.output<typeof experimentSchema>
export type ExperimentInput = z.input<typeof experimentSchema>

const pathOf = (path: readonly PropertyKey[]): string => path.map(String).join('.') || '(top)'

/** One line a fault: where it is and what is wrong. */
const faultsOf = (error: z.ZodError): string[] =>
  error.issues.map((issue) => {
    const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
    return `${pathOf(issue.path)}: ${isMissing ? `missing (${issue.expected})` : issue.message}`
  })

/**
 * Untrusted input through a schema.
 *
 * @param what what the input is, for the message.
 * @throws REQUEST_INVALID with every fault in `details`.
 */
export const parseWith = <T>(schema: z.ZodType<T>, input: unknown, what: string): T => {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const faults = faultsOf(result.error)
  const count = `${faults.length} fault${faults.length === 1 ? '' : 's'}`
  throw new HeadstartError('REQUEST_INVALID', `${what} has ${count}`, { details: faults })
}

export const parseExperiment = (input: unknown): Experiment =>
  parseWith(experimentSchema, input, 'the experiment')

export const extractionSchema = experimentSchema.omit({
  heads: true,
  select: true,
  folds: true,
  halving: true,
  name: true,
  seed: true,
})
/** An experiment without its heads: what `extract` takes. */
export type ExtractionRequest = z.output<typeof extractionSchema>
export type ExtractionInput = z.input<typeof extractionSchema>

export const parseExtraction = (input: unknown): ExtractionRequest =>
  parseWith(extractionSchema, input, 'the extraction')

/** The published JSON Schema of an experiment file. */
export const experimentJsonSchema = (): object => {
  const schema = z.toJSONSchema(experimentSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ path, jsonSchema }) => {
      if (path.at(-1) === 'heads')
        Object.assign(jsonSchema, headsJsonSchema({ canNameFiles: true }))
    },
  })
  return {
    ...schema,
    title: 'Headstart experiment',
  }
}
