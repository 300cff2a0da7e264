// Owns bringing the nodes of a compiled head to the operator version of the base that they are joined
// with: one file has one version. Refuses operators that the older version lacks or means otherwise.
import { HeadstartError } from '../../errors.js'
import { createGraphBuilder } from '../../extractor/onnx/graph-builder.js'
import { changed, type OnnxModel, opsetOf, withGraph } from '../../extractor/onnx/model.js'
import type { NodeProto } from '../../extractor/onnx/onnx_pb.js'

/** From this version on, reductions by mean and maximum take their axes as an input. */
const REDUCTION_AXES_AS_INPUT = 18
const REDUCTIONS = new Set(['ReduceMean', 'ReduceMax'])

/**
 * The first version in which an operator, as the compiler of layers writes it, means what it means in the
 * compiler's own version (https://onnx.ai/onnx/operators). What is not listed needs that one.
 */
const SINCE: Readonly<Record<string, number>> = {
  Add: 7,
  BatchNormalization: 9,
  Clip: 11,
  Concat: 7,
  Elu: 7,
  Erf: 9,
  Flatten: 7,
  Gemm: 11,
  HardSigmoid: 7,
  Identity: 7,
  LeakyRelu: 7,
  // Before 13 the axes from the given one on are taken as one: the same for the last axis.
  LogSoftmax: 7,
  MatMul: 9,
  Max: 8,
  Mul: 7,
  PRelu: 9,
  ReduceMax: 7,
  ReduceMean: 7,
  Relu: 7,
  Reshape: 7,
  Selu: 7,
  Sigmoid: 7,
  Slice: 10,
  Softmax: 7,
  Softplus: 7,
  Softsign: 7,
  Tanh: 7,
  ThresholdedRelu: 10,
  Tile: 7,
  Transpose: 7,
}

const assertKnownIn = (version: number, own: number, nodes: readonly NodeProto[]): void => {
  const newer = nodes.find(({ opType }) => (SINCE[opType] ?? own) > version)
  if (newer !== undefined)
    throw new HeadstartError(
      'EXPORT_IMPOSSIBLE',
      `the head needs ${newer.opType} of operator version ${SINCE[newer.opType] ?? own}, the base has version ${version}`,
    )
}

/**
 * A head whose nodes mean the same under the operator version `version`. Pure.
 *
 * @throws EXPORT_IMPOSSIBLE
 */
export const fitOperators = (head: OnnxModel, version: number): OnnxModel => {
  const own = opsetOf(head)
  if (version < own) assertKnownIn(version, own, head.graph.node)
  if (version < REDUCTION_AXES_AS_INPUT) return head
  const initializer = [...head.graph.initializer]
  const edited = withGraph(head, { initializer })
  const builder = createGraphBuilder(edited.graph)
  const node = head.graph.node.map((before) => {
    const axes = before.attribute.find(({ name }) => name === 'axes')?.ints
    if (!REDUCTIONS.has(before.opType) || axes === undefined) return before
    const given = builder.ints(`${before.name}/axes`, axes.map(Number))
    return changed(before, {
      input: [...before.input.slice(0, 1), given],
      attribute: before.attribute.filter(({ name }) => name !== 'axes'),
    })
  })
  return withGraph(edited, { node })
}
