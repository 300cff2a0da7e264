// Owns the compiler from a TF.js GraphModel to ONNX: what is read, what is written, what can be cut.
import { create } from '@bufbuild/protobuf'
import { HeadstartError } from '../../errors.js'
import type { TfjsBase } from '../base/loaded-base.js'
import { SKIPPED_OPS } from '../engines/tfjs-graph.js'
import { createGraphBuilder } from '../onnx/graph-builder.js'
import { namedOutput, type OnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import { GraphProtoSchema, ModelProtoSchema } from '../onnx/onnx_pb.js'
import { COMPILED_INPUT, type CompiledGraph } from './compiled-graph.js'
import { BATCH, same } from './graph/dimension.js'
import { evaluate } from './graph/evaluate.js'
import { declareInput } from './graph/graph-input.js'
import { parseTopology, type Topology } from './graph/topology.js'
import type { Computed, Value } from './graph/value.js'
import { readWeights } from './graph/weights.js'
import { createWriter } from './graph/writer.js'
import type { Unsupported } from './record.js'

/** Reductions take their axes as an input, Resize names its axes. */
const OPSET = 18n
const IR_VERSION = 8n

const inputOf = ({ inputs }: Topology): string => {
  const [input, ...others] = inputs
  if (input === undefined || others.length > 0)
    throw new HeadstartError('BASE_INVALID', `the base has ${inputs.length} inputs, not one`)
  return input
}

/** One row a sample, of two axes or more: what inspecting the base takes for a cut. */
const isCut = (value: Value | undefined): value is Computed =>
  value?.kind === 'computed' && value.dims.length >= 2 && same(value.dims[0] ?? BATCH, BATCH)

const nothing = (unsupported: readonly Unsupported[]): HeadstartError => {
  const names = unsupported.map(({ path, className }) => `${path} (${className})`)
  const first =
    names[0] === undefined ? '' : `; the first node without a counterpart is ${names[0]}`
  return new HeadstartError('BASE_LAYER_UNKNOWN', `no node of the base can be compiled${first}`, {
    details: names.slice(0, 20),
  })
}

/**
 * @throws BASE_INVALID for a topology that is none; BASE_TOO_LARGE; BASE_LAYER_UNKNOWN when nothing of
 *   the base can be compiled.
 */
export const compileGraphModel = async (base: TfjsBase): Promise<CompiledGraph> => {
  const topology = parseTopology(base.topology, base.signature)
  const input = inputOf(topology)
  const graph = create(GraphProtoSchema, { name: 'base' })
  const builder = createGraphBuilder(graph)
  // Before anything else is named: cuts have the names of their nodes.
  for (const name of [COMPILED_INPUT, ...topology.nodes.map((node) => node.name)])
    builder.unique(name)
  const writer = createWriter(builder)
  const weights = readWeights(base)
  const { values, unsupported: refused } = evaluate({ topology, input, weights, writer })
  const unsupported = [...refused]

  const outputs = new Set(topology.outputs)
  const cuts: string[] = []
  for (const { name, op } of topology.nodes) {
    const value = values.get(name)?.[0]
    if (!isCut(value) || !(outputs.has(name) || !SKIPPED_OPS.has(op))) continue
    // The only name that is taken.
    if (name === COMPILED_INPUT) unsupported.push({ path: name, className: op })
    else {
      writer.layouts.publish(value.tensor, name)
      cuts.push(name)
    }
  }
  const last = cuts.at(-1)
  const fed = values.get(input)?.[0]
  if (last === undefined || fed?.kind !== 'computed') throw nothing(unsupported)
  const ends = cuts.filter((name) => outputs.has(name))
  graph.input.push(declareInput(fed.dims))
  graph.output.push(...(ends.length > 0 ? ends : [last]).map(namedOutput))
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'headstart',
    opsetImport: [{ domain: '', version: OPSET }],
    graph,
  })
  return { bytes: serialiseOnnxModel(model as OnnxModel), cuts, unsupported }
}
