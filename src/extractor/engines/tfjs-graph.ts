// Owns what can be cut in a GraphModel: nodes of its graph, by name.
import type { GraphModel } from '@tensorflow/tfjs-converter'
import type { Tensor } from '@tensorflow/tfjs-core'
import { HeadstartError } from '../../errors.js'
import type { CutPoint } from '../base/load.js'
import { type BaseInspection, TRIAL_SIDE } from './engine.js'
import type { Tfjs } from './tfjs.js'

interface GraphNode {
  readonly name: string
  readonly op: string
}

/** Operations that are cuts only where they are outputs of the base. */
export const SKIPPED_OPS: ReadonlySet<string> = new Set([
  'Const',
  'Placeholder',
  'NoOp',
  'Identity',
])

const nodesOf = (model: GraphModel): readonly GraphNode[] => {
  const topology = (model as unknown as { artifacts: { modelTopology: { node?: GraphNode[] } } })
    .artifacts.modelTopology
  return topology.node ?? []
}

/** @throws CUT_NOT_FOUND. */
export const assertGraphCut = (model: GraphModel, cut: string): void => {
  if (!nodesOf(model).some(({ name }) => name === cut))
    throw new HeadstartError('CUT_NOT_FOUND', `the base has no node ${cut}`)
}

/**
 * Runs one sample of zeros through the graph to learn the shapes: a GraphModel does not record them.
 */
export const listGraphCuts = async (
  tf: Tfjs,
  model: GraphModel,
): Promise<Omit<BaseInspection, 'parameters'>> => {
  const [input, ...others] = model.inputs
  if (input === undefined || others.length > 0)
    throw new HeadstartError('BASE_INVALID', `the base has ${model.inputs.length} inputs, not one`)
  const inputShape = (input.shape ?? []).slice(1).map((size) => (size > 0 ? size : null))
  const outputs = new Set(model.outputs.map(({ name }) => name.split(':')[0]))
  const names = nodesOf(model).filter(({ name, op }) => outputs.has(name) || !SKIPPED_OPS.has(op))
  const zeros = tf.core.zeros([1, ...inputShape.map((size) => size ?? TRIAL_SIDE)])
  let tensors: Tensor[]
  try {
    const result = model.execute(
      { [input.name]: zeros },
      names.map(({ name }) => name),
    )
    tensors = Array.isArray(result) ? result : [result]
  } finally {
    zeros.dispose()
  }
  const anySize = inputShape.includes(null)
  const cuts: CutPoint[] = []
  tensors.forEach((tensor, i) => {
    const node = names[i]
    const shape: (number | null)[] = tensor.shape.slice(1)
    // What was seen at one size says nothing of the spatial axes at another.
    if (anySize && shape.length > 1) shape.fill(null, 0, -1)
    if (node && tensor.dtype === 'float32' && tensor.rank >= 2 && tensor.shape[0] === 1)
      cuts.push({ path: node.name, className: node.op, shape })
  })
  tf.core.dispose(tensors)
  return { inputShape, cuts }
}
