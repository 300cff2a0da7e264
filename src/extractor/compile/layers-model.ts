// Owns the compiler from a TF.js LayersModel to ONNX: the inference graph, with a tensor for each cut.
import { create } from '@bufbuild/protobuf'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import {
  cutTensorOf,
  type FoundLayer,
  type Layer,
  nodeOf,
  walkLayers,
} from '../engines/tfjs-cut.js'
import { createGraphBuilder, type GraphBuilder } from '../onnx/graph-builder.js'
import { namedOutput, type OnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import {
  TensorProto_DataType as DataType,
  TensorShapeProto_DimensionSchema as DimensionSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../onnx/onnx_pb.js'
import { COMPILED_INPUT, type CompiledGraph } from './compiled-graph.js'
import { createScopes, type Scope } from './layers/scope.js'
import type { Unsupported } from './record.js'
import { createLayouts, type Layouts, type Shape, type TensorValue } from './tensor-value.js'

const OPSET = 17
/** The version of the file format that belongs to the opset. */
const IR_VERSION = 8

const inputInfo = (shape: Shape): ValueInfoProto => {
  const dim = shape.map((length, axis) => {
    const name = axis === 0 ? 'batch' : `size_${axis}`
    return create(DimensionSchema, {
      value:
        length === null || axis === 0
          ? { case: 'dimParam', value: name }
          : { case: 'dimValue', value: BigInt(length) },
    })
  })
  return create(ValueInfoProtoSchema, {
    name: COMPILED_INPUT,
    type: { value: { case: 'tensorType', value: { elemType: DataType.FLOAT, shape: { dim } } } },
  })
}

/** The value at the place where `found` is cut: through the first use of each model on the way. */
const valueAt = (model: LayersModel, scope: Scope, found: FoundLayer): TensorValue | undefined => {
  let [around, here] = [model, scope]
  for (const layer of found.chain.slice(0, -1)) {
    const node = nodeOf(around, layer)
    // A nested model that opens a Sequential is no call: its layers are those of the Sequential.
    here = (node && here.inner.get(node)) ?? here
    around = layer as Layer & LayersModel
  }
  const tensor = cutTensorOf(found)
  return tensor && here.values.get(tensor.id)
}

interface Publishing {
  readonly model: LayersModel
  readonly scope: Scope
  readonly layouts: Layouts
  readonly builder: GraphBuilder
}

/** Writes the tensor of every cut that has a value. @returns paths, and of the model's outputs. */
const publishCuts = ({ model, scope, layouts }: Publishing, found: readonly FoundLayer[]) => {
  const cuts: string[] = []
  const outputs: string[] = []
  const isOutput = new Set(model.outputs.map(({ id }) => id))
  for (const layer of found) {
    const value = valueAt(model, scope, layer)
    if (value === undefined) continue
    layouts.publish(value, layer.path)
    cuts.push(layer.path)
    const tensor = cutTensorOf(layer)
    if (layer.chain.length === 1 && tensor && isOutput.has(tensor.id)) outputs.push(layer.path)
  }
  return { cuts, outputs: outputs.length > 0 ? outputs : cuts.slice(-1) }
}

const listUnsupported = (unsupported: readonly Unsupported[]): string =>
  unsupported.map(({ path, className }) => `${path} (${className})`).join(', ')

/**
 * The model stays the caller's; no tensor is created.
 *
 * @throws BASE_LAYER_UNKNOWN when nothing of the base can be compiled, BASE_INVALID when it has
 *   several inputs, BASE_TOO_LARGE.
 */
export const compileLayersModel = async (model: LayersModel): Promise<CompiledGraph> => {
  const [input, ...others] = model.inputs
  if (input === undefined || others.length > 0)
    throw new HeadstartError('BASE_INVALID', `the base has ${model.inputs.length} inputs, not one`)
  const graph = create(GraphProtoSchema, { name: 'base', input: [inputInfo(input.shape)] })
  const builder = createGraphBuilder(graph)
  const layouts = createLayouts(builder)
  const found = [...walkLayers(model)]
  const paths = new Map<Layer, string>()
  for (const { path, chain } of found) {
    const layer = chain.at(-1)
    if (layer && !paths.has(layer)) paths.set(layer, path)
  }
  // A cut has exactly its path for a name, so nothing else may take it.
  const cuttable = found.filter(
    (layer) => cutTensorOf(layer) !== undefined && builder.unique(layer.path) === layer.path,
  )
  const scopes = createScopes({
    builder,
    layouts,
    pathOf: (layer) => paths.get(layer) ?? layer.name,
  })
  const scope = scopes.open(model, [
    { name: COMPILED_INPUT, shape: input.shape, channelsFirst: false },
  ])
  const { cuts, outputs } = publishCuts({ model, scope, layouts, builder }, cuttable)
  const unsupported = scopes.unsupported()
  if (cuts.length === 0)
    throw new HeadstartError(
      'BASE_LAYER_UNKNOWN',
      `nothing of the base can be compiled: ${listUnsupported(unsupported)}`,
    )
  graph.output.push(...outputs.map(namedOutput))
  const compiled = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: 'headstart',
    opsetImport: [{ domain: '', version: BigInt(OPSET) }],
    graph,
  }) as OnnxModel
  return { bytes: serialiseOnnxModel(compiled), cuts, unsupported }
}
