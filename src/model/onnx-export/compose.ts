// Owns the composed ONNX model: base cut and folded, pooling, head. It takes what the base takes, in the
// base's own order of axes; decoding and normalising stay outside, in the card.
import { HeadstartError } from '../../errors.js'
import type { OnnxBase } from '../../extractor/base/loaded-base.js'
import { imageLayout, type Layout } from '../../extractor/layout.js'
import { giveFloat32 } from '../../extractor/onnx/border.js'
import { cutGraph, keepOutputs } from '../../extractor/onnx/cut.js'
import { appendToOutput, OURS } from '../../extractor/onnx/edit.js'
import { foldBatchNormalization } from '../../extractor/onnx/fold-batch-normalization.js'
import { graphInputOf, inputInfo, onlyInput } from '../../extractor/onnx/graph-input.js'
import {
  changed,
  type OnnxModel,
  opsetOf,
  parseOnnxModel,
  serialiseOnnxModel,
  withGraph,
} from '../../extractor/onnx/model.js'
import { TensorProto_DataType as DataType } from '../../extractor/onnx/onnx_pb.js'
import { appendPooling } from '../../extractor/onnx/pooling.js'
import type { ExtractorSpec } from '../../extractor/spec.js'
import { widthOf } from '../../features/shard.js'
import type { CompiledHead } from '../../head/onnx-head.js'
import { VERSION } from '../../version.js'
import { fitOperators } from './fit-operators.js'
import { nameInput, reserveNames } from './input.js'
import { renameTensors } from './rename.js'

export const ONNX_INPUT = 'input'
const HEAD_PREFIX = 'head/'

export interface ComposeOnnxRequest {
  readonly base: OnnxBase
  readonly extractor: Pick<ExtractorSpec, 'cut' | 'pooling' | 'input' | 'featureShape'>
  /** Axes of the cut's output, with the batch axis. */
  readonly cutRank: number
  readonly head: CompiledHead
  /** Name of the output: `probabilities` or `values`. */
  readonly output: string
}

export interface ComposedOnnx {
  readonly bytes: Uint8Array
  /** Shape of one input, in the order of axes of the base. */
  readonly inputShape: readonly number[]
  /** Null where the base takes no images. */
  readonly layout: Layout | null
  /** Samples in every run, where the base fixes them; null: any number. */
  readonly batch: number | null
  readonly operators: number
}

const layoutOf = (
  { origin }: OnnxBase,
  input: ExtractorSpec['input'],
  shape: readonly (number | null)[],
): Layout | null => {
  if (input.kind !== 'image') return null
  return origin === 'compiled' ? 'channels-last' : imageLayout(shape)
}

const inputShapeOf = (input: ExtractorSpec['input'], layout: Layout | null): number[] => {
  if (input.kind === 'tensor') return [...input.shape]
  return layout === 'channels-first' ? [3, ...input.size] : [...input.size, 3]
}

/** Features as the head takes them: the same values in the same order. */
const shapeFeatures = (model: OnnxModel, from: readonly number[], to: readonly number[]) => {
  if (from.join() === to.join()) return model
  if (widthOf(from) !== widthOf(to))
    throw new HeadstartError('EXPORT_FAILED', `the head takes [${to}], the features are [${from}]`)
  return appendToOutput(model, (builder, output) =>
    builder.node('Reshape', [output, builder.ints(`${OURS}/feature-shape`, [-1, ...to])]),
  )
}

/** The base from its own input to features in the shape of the head. */
const featuresModel = (request: ComposeOnnxRequest, whole: OnnxModel): OnnxModel => {
  const { base, extractor, cutRank, head } = request
  const { cut, pooling, featureShape } = extractor
  const own = graphInputOf(whole)
  const channelsFirst = base.origin === 'file' && imageLayout(own.shape) === 'channels-first'
  const folded = foldBatchNormalization(onlyInput(cutGraph(whole, cut), own))
  const taken = giveFloat32(folded, `${OURS}/cut`)
  const pooled =
    pooling === 'none'
      ? taken
      : appendPooling(taken, { kind: pooling, rank: cutRank, channelsFirst }, `${OURS}/pooled`)
  return shapeFeatures(pooled, featureShape, head.inputShape)
}

/** Only its outputs and what feeds them, every name behind the prefix but that of the input. */
const headModel = ({ head, output }: ComposeOnnxRequest, features: string, version: number) => {
  const whole = keepOutputs(parseOnnxModel(head.bytes), [head.output])
  const input = graphInputOf(whole).name
  const names = new Map([
    [input, features],
    [head.output, output],
  ])
  return fitOperators(
    renameTensors(whole, (name) => names.get(name) ?? `${HEAD_PREFIX}${name}`),
    version,
  )
}

/**
 * Pure: the bytes of base and head are read, never written.
 *
 * @throws EXPORT_IMPOSSIBLE where head and base have no operator version in common, CUT_NOT_FOUND,
 *   CUT_UNUSABLE, BASE_INVALID.
 */
export const composeOnnx = (request: ComposeOnnxRequest): ComposedOnnx => {
  const { base, extractor, head, output } = request
  const parsed = parseOnnxModel(base.model)
  const reserved = (name: string): boolean =>
    name === ONNX_INPUT ||
    name === output ||
    name.startsWith(HEAD_PREFIX) ||
    name.startsWith(`${OURS}/`)
  const { model: whole, nameOf } = reserveNames(parsed, reserved)
  const own = graphInputOf(whole)
  const layout = layoutOf(base, extractor.input, own.shape)
  const inputShape = inputShapeOf(extractor.input, layout)
  const renamed = { ...request, extractor: { ...extractor, cut: nameOf(extractor.cut) } }
  const features = nameInput(featuresModel(renamed, whole), own, ONNX_INPUT, inputShape)
  const operators = opsetOf(whole)
  const top = headModel(request, features.graph.output[0]?.name ?? '', operators)
  const joined = withGraph(features, {
    name: 'headstart',
    node: [...features.graph.node, ...top.graph.node],
    initializer: [...features.graph.initializer, ...top.graph.initializer],
    output: [inputInfo(output, DataType.FLOAT, [own.batch, head.outputs])],
  })
  const stamped = changed(joined, { producerName: 'headstart', producerVersion: VERSION })
  return { bytes: serialiseOnnxModel(stamped), inputShape, layout, batch: own.batch, operators }
}
