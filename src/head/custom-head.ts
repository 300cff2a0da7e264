// Owns heads that a function builds: it is given the layers of TF.js and what is known of the features,
// and the topology of its model becomes a spec. Refuses models that could not be trained or served.
import * as layersOfTfjs from '@tensorflow/tfjs-layers'
import { HeadstartError, messageOf } from '../errors.js'
import { ensureHeadBackend } from './backend.js'
import { type CustomSpec, type HeadSpecInput, headSpecSchema } from './spec.js'
import { buildModel, modelFromTopology } from './topology.js'

/** What there is to build layers with: the copy of TF.js that trains, which another copy would not fit. */
const TOOLS = {
  input: layersOfTfjs.input,
  model: layersOfTfjs.model,
  sequential: layersOfTfjs.sequential,
  layers: layersOfTfjs.layers,
  constraints: layersOfTfjs.constraints,
  regularizers: layersOfTfjs.regularizers,
} as const

export interface HeadFacts {
  /** Of one sample, without the batch, e.g. [1280] or [7, 7, 320]. */
  readonly featureShape: readonly number[]
  /** Units of the last layer: classes, or outputs of a regression. */
  readonly outputs: number
  /** `input`, `model`, `sequential`, `layers`, `constraints` and `regularizers` of TF.js. */
  readonly tf: typeof TOOLS
}

type CustomInput = Extract<HeadSpecInput, { readonly kind: 'custom' }>

/** The shapes that the head is built for, and how it is trained, as in a head of an experiment. */
export type CustomHeadOptions = Pick<HeadFacts, 'featureShape' | 'outputs'> &
  Omit<CustomInput, 'kind' | 'topology'>

const MAX_SIZE = 2 ** 31

const assertShapes = ({ featureShape, outputs }: CustomHeadOptions): void => {
  const isSize = (size: number) => Number.isInteger(size) && size >= 1 && size < MAX_SIZE
  if (featureShape.length > 0 && featureShape.every(isSize) && isSize(outputs)) return
  throw new HeadstartError(
    'HEAD_INVALID',
    `a head for features of shape [${featureShape.join(', ')}] and ${outputs} outputs cannot be built: whole numbers of at least 1 are needed`,
  )
}

const topologyOf = (build: (facts: HeadFacts) => layersOfTfjs.LayersModel, facts: HeadFacts) => {
  const { model, dispose } = buildModel(() => {
    const built = build(facts)
    if (typeof built?.toJSON !== 'function') {
      throw new HeadstartError(
        'HEAD_INVALID',
        `the function gave ${built instanceof Promise ? 'a promise' : typeof built}, not a LayersModel of the \`tf\` that it was given`,
      )
    }
    return built
  })
  try {
    // Through text: what is kept is plain JSON.
    return JSON.parse(JSON.stringify(model.toJSON(null, false))) as CustomSpec['topology']
  } catch (cause) {
    throw new HeadstartError(
      'HEAD_INVALID',
      `the head cannot be written down: ${messageOf(cause)}`,
      { cause },
    )
  } finally {
    dispose()
  }
}

/**
 * A `custom` head from a function that builds its model, for `heads` of an experiment. The function is
 * called once, here; what is trained is its topology, with weights drawn anew by the training's seed.
 *
 * @param build synchronous; makes layers with `facts.tf` only. Its tensors are freed.
 * @throws HEAD_INVALID where the function fails, or its model cannot be a head; ENGINE_UNAVAILABLE.
 */
export const customHead = async (
  build: (facts: HeadFacts) => layersOfTfjs.LayersModel,
  options: CustomHeadOptions,
): Promise<CustomSpec> => {
  assertShapes(options)
  const { featureShape, outputs, ...training } = options
  await ensureHeadBackend()
  const topology = topologyOf(build, { featureShape: [...featureShape], outputs, tf: TOOLS })
  // As a training reads it back: layers that cannot be repeated or trained are refused here.
  const { dispose } = await modelFromTopology(topology)
  dispose()
  const parsed = headSpecSchema.safeParse({ ...training, kind: 'custom', topology })
  if (parsed.success && parsed.data.kind === 'custom') return parsed.data
  const details = (parsed.error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )
  throw new HeadstartError('HEAD_INVALID', `the head cannot be used: ${details[0] ?? ''}`, {
    details,
  })
}
