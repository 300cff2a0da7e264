// Owns the head spec: what a head is and how it is trained, complete, every default written out.
// Refuses unknown keys, values out of range, and settings that the chosen optimizer would ignore.
import { z } from 'zod'
import { topologySchema } from './topology-schema.js'

const FIRST_ORDER = ['adam', 'adamw', 'sgd'] as const
const FIRST_ORDER_DEFAULTS = { epochs: 30, batchSize: 32, learningRate: 0.001 } as const
const SGD_MOMENTUM = 0.9
const EXACT_DEFAULTS = { epochs: 1000, tolerance: 1e-5 } as const

const earlyStopping = z.strictObject({
  patience: z.int().min(1).max(10_000).describe('Epochs without improvement before stopping.'),
  minDelta: z.number().min(0).default(0).describe('The least change that counts as improvement.'),
  metric: z.enum(['loss', 'score']).default('loss').describe('Which validation value is watched.'),
})

/** A record drops this key unseen; as a class it could be nothing but a mistake. */
const refuseProto = (
  value: ClassWeights,
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): ClassWeights => {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    context.addIssue({ code: 'custom', path: ['__proto__'], message: 'no class has this name' })
  }
  return value
}

const classWeights = z.union([
  z.enum(['none', 'balanced']),
  z.record(z.string(), z.number().gt(0).max(1e6)),
])
type ClassWeights = z.input<typeof classWeights>

const firstOrder = z
  .enum(FIRST_ORDER, {
    error: ({ input }) => (input === 'lbfgs' ? 'lbfgs is for linear heads only' : undefined),
  })
  .default('adam')

const common = {
  epochs: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .default(null)
    .describe(
      `${FIRST_ORDER_DEFAULTS.epochs} when left out; lbfgs: the most iterations, ${EXACT_DEFAULTS.epochs}.`,
    ),
  batchSize: z
    .int()
    .min(1)
    .max(65_536)
    .nullable()
    .default(null)
    .describe(`Samples a step: ${FIRST_ORDER_DEFAULTS.batchSize} when left out; null for lbfgs.`),
  learningRate: z
    .number()
    .gt(0)
    .max(100)
    .nullable()
    .default(null)
    .describe(`${FIRST_ORDER_DEFAULTS.learningRate} when left out; null for lbfgs.`),
  momentum: z
    .number()
    .min(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe(`sgd only: ${SGD_MOMENTUM} when left out; null for the others.`),
  tolerance: z
    .number()
    .gt(0)
    .max(1)
    .nullable()
    .default(null)
    .describe(
      `lbfgs only: ends when no part of the gradient is larger; ${EXACT_DEFAULTS.tolerance} when left out.`,
    ),
  weightDecay: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe('Decoupled decay of kernels; adamw and sgd only.'),
  l2: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe('Adds l2 * sum(w^2) over the kernels (not the biases) to the training loss.'),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('Rate before each dense layer; for linear, on the features.'),
  labelSmoothing: z.number().min(0).lt(1).default(0).describe('Classification only.'),
  classWeights: z
    .preprocess(refuseProto, classWeights)
    // Not `default`: JSON Schema would leave it out behind a preprocess.
    .prefault('none')
    .describe('Weight of a class in the training loss; classes left out of a record weigh 1.'),
  earlyStopping: z
    .union([z.null(), earlyStopping])
    .default(null)
    .describe('Needs a validation split; the best weights are restored.'),
}

const linear = z.strictObject({
  kind: z.literal('linear').describe('One dense layer on the features.'),
  ...common,
  optimizer: z.enum([...FIRST_ORDER, 'lbfgs']).default('adam'),
})
const mlp = z.strictObject({
  kind: z.literal('mlp').describe('Hidden dense layers with ReLU, then a dense layer.'),
  width: z.int().min(1).max(16_384).default(256).describe('Units of each hidden layer.'),
  depth: z.int().min(1).max(16).default(1).describe('Hidden layers.'),
  ...common,
  optimizer: firstOrder,
})
const custom = z.strictObject({
  kind: z.literal('custom').describe('Any TF.js LayersModel topology.'),
  topology: topologySchema,
  ...common,
  optimizer: firstOrder,
})

export const written = z.discriminatedUnion('kind', [linear, mlp, custom])
type Written = z.output<typeof written>

/** Members that the chosen optimizer would ignore, each with why. */
const ignored = (spec: Written): [keyof Written, string][] => {
  const faults: [keyof Written, string | false][] = [
    [
      'weightDecay',
      spec.optimizer === 'adam' &&
        spec.weightDecay > 0 &&
        'adam has no decoupled weight decay: use optimizer adamw or sgd, or l2',
    ],
    [
      'momentum',
      spec.optimizer !== 'sgd' &&
        spec.momentum !== null &&
        `${spec.optimizer} has no momentum to set: leave it out, or use optimizer sgd`,
    ],
    [
      'dropout',
      spec.kind === 'custom' &&
        spec.dropout > 0 &&
        'a custom head has the Dropout layers of its topology only',
    ],
  ]
  if (spec.optimizer === 'lbfgs') {
    const why = 'lbfgs takes whole steps over all rows to the one optimum'
    faults.push(
      ['batchSize', spec.batchSize !== null && `${why}: it has no batches`],
      ['learningRate', spec.learningRate !== null && `${why}: it finds its step lengths itself`],
      ['weightDecay', spec.weightDecay > 0 && `${why}: use l2`],
      ['dropout', spec.dropout > 0 && `${why}: noise would move the optimum; use l2`],
      ['earlyStopping', spec.earlyStopping !== null && `${why}: set tolerance, or fewer epochs`],
    )
  } else {
    faults.push(['tolerance', spec.tolerance !== null && 'only lbfgs ends by its gradient'])
  }
  return faults.filter((fault): fault is [keyof Written, string] => fault[1] !== false)
}

/** What is left out written out, so that the same training has one spec and one run id. */
const complete = (spec: Written): Written =>
  spec.optimizer === 'lbfgs'
    ? {
        ...spec,
        epochs: spec.epochs ?? EXACT_DEFAULTS.epochs,
        tolerance: spec.tolerance ?? EXACT_DEFAULTS.tolerance,
      }
    : {
        ...spec,
        epochs: spec.epochs ?? FIRST_ORDER_DEFAULTS.epochs,
        batchSize: spec.batchSize ?? FIRST_ORDER_DEFAULTS.batchSize,
        learningRate: spec.learningRate ?? FIRST_ORDER_DEFAULTS.learningRate,
        momentum: spec.optimizer === 'sgd' ? (spec.momentum ?? SGD_MOMENTUM) : null,
      }

type PerOptimizer = 'optimizer' | 'epochs' | 'batchSize' | 'learningRate' | 'tolerance'

/** Trained in steps over batches. `epochs` counts passes over the train rows. */
type FirstOrder<Head> = Omit<Head, PerOptimizer> & {
  readonly optimizer: (typeof FIRST_ORDER)[number]
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  readonly tolerance: null
}

/** A head of our own making with a first-order optimizer. */
export type PresetSpec = FirstOrder<z.output<typeof linear>> | FirstOrder<z.output<typeof mlp>>
export type CustomSpec = FirstOrder<z.output<typeof custom>>
export type FirstOrderSpec = PresetSpec | CustomSpec

/** A linear head trained to the optimum of its loss. `epochs` is the most iterations. */
export type ExactSpec = Omit<z.output<typeof linear>, PerOptimizer> & {
  readonly optimizer: 'lbfgs'
  readonly epochs: number
  readonly batchSize: null
  readonly learningRate: null
  readonly tolerance: number
}

/** Complete. `optimizer` tells first-order heads from exact ones, `kind` what is trained. */
export type HeadSpec = FirstOrderSpec | ExactSpec
export type HeadSpecInput = z.input<typeof written>

/** Parses a head; the result is complete and is what is hashed. */
export const headSpecSchema = written
  .superRefine((spec, context) => {
    for (const [member, message] of ignored(spec)) {
      context.addIssue({ code: 'custom', path: [member], message })
    }
  })
  .overwrite(complete) as unknown as z.ZodType<HeadSpec, HeadSpecInput>

export const isExactSpec = (spec: HeadSpec): spec is ExactSpec => spec.optimizer === 'lbfgs'

export const isPresetSpec = (spec: HeadSpec): spec is PresetSpec =>
  spec.kind !== 'custom' && !isExactSpec(spec)
