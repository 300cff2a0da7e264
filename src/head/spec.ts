// Owns the head spec: what a head is and how it is trained, complete, every default written out.
// Refuses unknown keys, values out of range, and settings that the chosen optimizer would ignore.
import { z } from 'zod'
import type { JsonValue } from '../identity/canonical-json.js'

const MAX_TOPOLOGY_BYTES = 8 * 2 ** 20
const MAX_TOPOLOGY_DEPTH = 64
const SGD_MOMENTUM = 0.9

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

const common = {
  epochs: z.int().min(1).max(10_000).default(30),
  batchSize: z.int().min(1).max(65_536).default(32).describe('Samples a step.'),
  optimizer: z.enum(['adam', 'adamw', 'sgd']).default('adam'),
  learningRate: z.number().gt(0).max(100).default(0.001),
  momentum: z
    .number()
    .min(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe(`sgd only: ${SGD_MOMENTUM} when left out; null for the others.`),
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

/** Why a value is no JSON that can be kept, or null. Iterative: hostile nesting costs no stack. */
const topologyFault = (topology: unknown): string | null => {
  let level: unknown[] = [topology]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_TOPOLOGY_DEPTH) return `nests deeper than ${MAX_TOPOLOGY_DEPTH}`
    const next: unknown[] = []
    for (const value of level) {
      if (value !== null && typeof value === 'object') {
        for (const child of Object.values(value)) next.push(child)
      } else if (!isScalar(value)) return 'holds a value that is not JSON'
    }
    level = next
  }
  const bytes = Buffer.byteLength(JSON.stringify(topology))
  return bytes > MAX_TOPOLOGY_BYTES ? `has ${bytes} bytes, more than ${MAX_TOPOLOGY_BYTES}` : null
}

const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)

const topology = z
  .record(z.string(), z.unknown())
  .describe('`modelTopology` of a TF.js LayersModel; its weights are drawn anew.')
  .superRefine((value, context) => {
    const fault = topologyFault(value)
    if (fault !== null) context.addIssue({ code: 'custom', message: `the topology ${fault}` })
  }) as unknown as z.ZodType<{ readonly [key: string]: JsonValue }>

const linear = z.strictObject({
  kind: z.literal('linear').describe('One dense layer on the features.'),
  ...common,
})
const mlp = z.strictObject({
  kind: z.literal('mlp').describe('Hidden dense layers with ReLU, then a dense layer.'),
  width: z.int().min(1).max(16_384).default(256).describe('Units of each hidden layer.'),
  depth: z.int().min(1).max(16).default(1).describe('Hidden layers.'),
  ...common,
})
const custom = z.strictObject({
  kind: z.literal('custom').describe('Any TF.js LayersModel topology.'),
  topology,
  ...common,
})

/** Parses a head; the result is complete and is what is hashed. */
export const headSpecSchema = z
  .discriminatedUnion('kind', [linear, mlp, custom])
  .superRefine((spec, context) => {
    if (spec.optimizer === 'adam' && spec.weightDecay > 0) {
      context.addIssue({
        code: 'custom',
        path: ['weightDecay'],
        message: 'adam has no decoupled weight decay: use optimizer adamw or sgd, or l2',
      })
    }
    if (spec.optimizer !== 'sgd' && spec.momentum !== null) {
      context.addIssue({
        code: 'custom',
        path: ['momentum'],
        message: `${spec.optimizer} has no momentum to set: leave it out, or use optimizer sgd`,
      })
    }
    if (spec.kind === 'custom' && spec.dropout > 0) {
      context.addIssue({
        code: 'custom',
        path: ['dropout'],
        message: 'a custom head has the Dropout layers of its topology only',
      })
    }
  })
  // Complete, so that the same training has one spec and one run id.
  .overwrite((spec) => ({
    ...spec,
    momentum: spec.optimizer === 'sgd' ? (spec.momentum ?? SGD_MOMENTUM) : null,
  }))

export type HeadSpec = z.infer<typeof headSpecSchema>
export type HeadSpecInput = z.input<typeof headSpecSchema>
