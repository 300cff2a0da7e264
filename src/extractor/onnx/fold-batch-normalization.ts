// Owns folding BatchNormalization into the convolution before it: exact in double precision, rounded
// to float32 once. Leaves every other normalisation as it is.
import { tensorOf } from './graph-builder.js'
import { changed, type OnnxModel, withGraph } from './model.js'
import { graphsIn, namesReadBy } from './names.js'
import type { NodeProto, TensorProto } from './onnx_pb.js'
import { floatsOf, withFloats } from './tensor-values.js'

/** Of the standard; nodes that leave it out mean this. */
const DEFAULT_EPSILON = Math.fround(1e-5)

const isStandard = ({ domain }: NodeProto): boolean => domain === '' || domain === 'ai.onnx'

/** Normalises each channel with fixed statistics, and gives nothing else. */
const isInference = (node: NodeProto): boolean => {
  const value = (name: string) => node.attribute.find((attribute) => attribute.name === name)?.i
  return (
    node.opType === 'BatchNormalization' &&
    isStandard(node) &&
    node.output.filter((name) => name !== '').length === 1 &&
    (value('training_mode') ?? 0n) === 0n &&
    (value('spatial') ?? 1n) === 1n
  )
}

interface Parts {
  readonly convolution: NodeProto
  readonly weights: TensorProto
  readonly bias: Float32Array | null
  /** scale, offset, mean, variance: one value a channel. */
  readonly statistics: readonly [Float32Array, Float32Array, Float32Array, Float32Array]
}

/** Kernels and bias of a convolution that gives what convolution and normalisation gave. */
const folded = ({ weights, bias, statistics }: Parts, epsilon: number) => {
  const [scale, offset, mean, variance] = statistics
  const before = floatsOf(weights) ?? new Float32Array(0)
  const kernels = new Float32Array(before.length)
  const biases = new Float32Array(scale.length)
  const step = before.length / scale.length
  for (let channel = 0; channel < scale.length; channel += 1) {
    const factor = (scale[channel] ?? 0) / Math.sqrt((variance[channel] ?? 0) + epsilon)
    biases[channel] =
      ((bias?.[channel] ?? 0) - (mean[channel] ?? 0)) * factor + (offset[channel] ?? 0)
    for (let i = channel * step; i < (channel + 1) * step; i += 1)
      kernels[i] = (before[i] ?? 0) * factor
  }
  return { kernels, biases }
}

/** What a normalisation can be folded with; null where something of it is not constant or not alone. */
const partsOf = (
  node: NodeProto,
  makers: ReadonlyMap<string, NodeProto>,
  uses: ReadonlyMap<string, number>,
  constants: ReadonlyMap<string, TensorProto>,
): Parts | null => {
  const [input = '', ...names] = node.input
  const convolution = makers.get(input)
  if (convolution?.opType !== 'Conv' || !isStandard(convolution) || uses.get(input) !== 1)
    return null
  const weights = constants.get(convolution.input[1] ?? '')
  const channels = Number(weights?.dims[0] ?? 0n)
  const values = (name: string | undefined): Float32Array | null => {
    const tensor = constants.get(name ?? '')
    const floats = tensor === undefined ? null : floatsOf(tensor)
    return floats?.length === channels ? floats : null
  }
  const [scale, offset, mean, variance] = names.map(values)
  if (weights === undefined || channels === 0 || floatsOf(weights) === null) return null
  if (!scale || !offset || !mean || !variance) return null
  const biasName = convolution.input[2] ?? ''
  const bias = biasName === '' ? null : values(biasName)
  if (biasName !== '' && bias === null) return null
  return { convolution, weights, bias, statistics: [scale, offset, mean, variance] }
}

/** How often each tensor is read; outputs of the graph count, and so does every subgraph. */
const usesOf = ({ graph }: OnnxModel): Map<string, number> => {
  const uses = new Map<string, number>()
  const names = [...graph.node.flatMap(namesReadBy), ...graph.output.map(({ name }) => name)]
  for (const name of names) uses.set(name, (uses.get(name) ?? 0) + 1)
  return uses
}

/**
 * A model without the normalisations that follow a convolution directly. A convolution whose output
 * something else reads, or that is an output of the graph, keeps its normalisation. Pure.
 */
export const foldBatchNormalization = (model: OnnxModel): OnnxModel => {
  const { graph } = model
  const overridable = new Set(graph.input.map(({ name }) => name))
  const constants = new Map(
    graph.initializer
      .filter(({ name }) => !overridable.has(name))
      .map((tensor) => [tensor.name, tensor]),
  )
  const makers = new Map<string, NodeProto>()
  for (const node of graph.node) for (const name of node.output) makers.set(name, node)
  const uses = usesOf(model)
  const taken = new Set(
    [...graphsIn(graph)].flatMap((inner) => inner.initializer.map(({ name }) => name)),
  )
  const replaced = new Map<NodeProto, NodeProto | null>()
  const added: TensorProto[] = []
  for (const node of graph.node) {
    const parts = isInference(node) ? partsOf(node, makers, uses, constants) : null
    if (parts === null) continue
    const { convolution, weights } = parts
    const epsilon = node.attribute.find(({ name }) => name === 'epsilon')?.f ?? DEFAULT_EPSILON
    const { kernels, biases } = folded(parts, epsilon)
    const output = node.output[0] ?? ''
    const [kernelName, biasName] = [`${output}/folded:kernel`, `${output}/folded:bias`]
    if (taken.has(kernelName) || taken.has(biasName)) continue
    added.push(changed(withFloats(weights, kernels), { name: kernelName }))
    added.push(tensorOf(biasName, biases, [biases.length]))
    const [input = ''] = convolution.input
    replaced.set(node, null)
    replaced.set(
      convolution,
      changed(convolution, { input: [input, kernelName, biasName], output: [output] }),
    )
  }
  if (replaced.size === 0) return model
  const node = graph.node
    .map((before) => (replaced.has(before) ? replaced.get(before) : before))
    .filter((after) => after !== null && after !== undefined)
  const still = new Set([...node.flatMap(namesReadBy), ...graph.output.map(({ name }) => name)])
  const initializer = [...graph.initializer.filter(({ name }) => still.has(name)), ...added]
  return withGraph(model, { node, initializer })
}
