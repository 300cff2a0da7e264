// Owns what an ONNX model must be before onnxruntime sees it: standard operators, bounded size, all
// data inside, finite weights. Refuses parts of the format that nothing here looks into.
import { HeadstartError } from '../../errors.js'
import { MAX_ONNX_NODES, MAX_PARAMETERS } from '../base/limits.js'
import { type OnnxModel, opsetOf } from './model.js'
import { graphsIn } from './names.js'
import type { NodeProto } from './onnx_pb.js'
import { assertTensor, elementsOf } from './tensor-values.js'
import { tensorsOf } from './tensors.js'

const invalid = (message: string): HeadstartError => new HeadstartError('BASE_INVALID', message)

/** Operators of the standard, and those that onnxruntime itself brings. */
const DOMAINS = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft'])
/** The first version whose Cast and arithmetic are those of today. */
const OLDEST_OPSET = 7

/** Fields of the format that may hold tensors or code, by number, and are not in onnx.proto. */
const REFUSED_FIELDS = {
  model: new Map([
    [20, 'training graphs'],
    [25, 'functions of its own (inline them)'],
  ]),
  graph: new Map([[15, 'sparse weights']]),
  attribute: new Map([
    [22, 'sparse constants'],
    [23, 'sparse constants'],
  ]),
}

const assertNoField = (
  { $unknown }: { readonly $unknown?: readonly { readonly no: number }[] | undefined },
  refused: ReadonlyMap<number, string>,
): void => {
  for (const { no } of $unknown ?? []) {
    const what = refused.get(no)
    if (what !== undefined) throw invalid(`the base has ${what}, which are not supported`)
  }
}

const assertNode = (node: NodeProto): void => {
  const { domain, opType, name } = node
  // An EPContext holds native code of a device, or the path of a file with it.
  if (!DOMAINS.has(domain) || opType === 'EPContext')
    throw new HeadstartError(
      'BASE_LAYER_UNKNOWN',
      `the node ${JSON.stringify(name)} is the custom operator ${domain === '' ? '' : `${domain}:`}${opType}`,
    )
  for (const attribute of node.attribute) assertNoField(attribute, REFUSED_FIELDS.attribute)
}

/**
 * @returns the number of parameters.
 * @throws BASE_INVALID, BASE_LAYER_UNKNOWN, BASE_TOO_LARGE, BASE_WEIGHTS_INVALID.
 */
export const assertOnnxModel = (model: OnnxModel): number => {
  assertNoField(model, REFUSED_FIELDS.model)
  if (opsetOf(model) < OLDEST_OPSET)
    throw invalid(
      `the base has operators of version ${opsetOf(model)}; ${OLDEST_OPSET} or later is needed`,
    )
  let [nodes, parameters] = [0, 0]
  for (const graph of graphsIn(model.graph)) {
    assertNoField(graph, REFUSED_FIELDS.graph)
    nodes += graph.node.length
    if (nodes > MAX_ONNX_NODES)
      throw new HeadstartError('BASE_TOO_LARGE', `the base has more than ${MAX_ONNX_NODES} nodes`)
    for (const node of graph.node) assertNode(node)
    for (const tensor of tensorsOf(graph)) {
      parameters += elementsOf(tensor)
      if (parameters > MAX_PARAMETERS)
        throw new HeadstartError(
          'BASE_TOO_LARGE',
          `the base has more than ${MAX_PARAMETERS} parameters`,
        )
      assertTensor(tensor)
    }
  }
  return parameters
}
