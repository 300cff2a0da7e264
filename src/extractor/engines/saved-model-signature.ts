// Owns what a SavedModel says of itself: the input and the outputs of its serving signature and the
// variables behind them. Refuses what is not one float32 batch in.
import { createRequire } from 'node:module'
import { HeadstartError } from '../../errors.js'

export const TAG = 'serve'
export const SIGNATURE = 'serving_default'

/** DT_FLOAT of TensorFlow's DataType. */
const FLOAT32 = 1
const VARIABLE_OPS = new Set(['VarHandleOp', 'VariableV2', 'Variable'])

// The part of the generated protobuf classes of tfjs-node that is used here.
interface ProtoMap<T> {
  get(key: string): T | undefined
  keys(): Iterator<string>
}
interface ProtoShape {
  getDimList(): readonly { getSize(): number }[]
  getUnknownRank(): boolean
}
interface ProtoTensor {
  getName(): string
  getDtype(): number
  getTensorShape(): ProtoShape | undefined
}
interface ProtoNode {
  getName(): string
  getOp(): string
  getInputList(): readonly string[]
  getAttrMap(): ProtoMap<{ getType(): number; getShape(): ProtoShape | undefined }>
}
interface ProtoSignature {
  getInputsMap(): ProtoMap<ProtoTensor>
  getOutputsMap(): ProtoMap<ProtoTensor>
}
interface ProtoGraph {
  getMetaInfoDef(): { getTagsList(): readonly string[] } | undefined
  getSignatureDefMap(): ProtoMap<ProtoSignature>
  getGraphDef(): { getNodeList(): readonly ProtoNode[] } | undefined
}
interface ProtoModule {
  readSavedModelProto(folder: string): Promise<{ getMetaGraphsList(): readonly ProtoGraph[] }>
}

export interface SavedModelSignature {
  /** Name of the input, and its shape without the batch axis; null where it takes any size. */
  readonly input: string
  readonly inputShape: readonly (number | null)[]
  /** Names of the outputs. */
  readonly outputs: readonly string[]
  /** Float values of the variables that the outputs are computed from. */
  readonly parameters: number
}

const invalid = (message: string): HeadstartError => new HeadstartError('BASE_INVALID', message)

const keysOf = (map: ProtoMap<unknown>): string[] => {
  const found: string[] = []
  const keys = map.keys()
  for (let key = keys.next(); key.done !== true; key = keys.next()) found.push(key.value)
  return found
}

const sizesOf = (shape: ProtoShape | undefined): number[] =>
  (shape?.getDimList() ?? []).map((dimension) => dimension.getSize())

const inputShapeOf = (name: string, tensor: ProtoTensor): (number | null)[] => {
  const [batch, ...sizes] = sizesOf(tensor.getTensorShape())
  if (tensor.getDtype() !== FLOAT32) throw invalid(`the input ${name} takes no float32 values`)
  if (batch === undefined || sizes.length === 0)
    throw invalid(`the input ${name} has no shape of [batch, ...]`)
  if (batch !== -1)
    throw invalid(`the input ${name} takes batches of ${batch} only; export it with any batch size`)
  return sizes.map((size) => (size > 0 ? size : null))
}

const valuesOf = (node: ProtoNode): number => {
  const attributes = node.getAttrMap()
  const isFloat = attributes.get('dtype')?.getType() === FLOAT32
  return isFloat ? sizesOf(attributes.get('shape')?.getShape()).reduce((a, b) => a * b, 1) : 0
}

/** `^node` and `node:1` are inputs from `node`. */
const nodeNameOf = (input: string): string => input.replace(/^\^/, '').replace(/:\d+$/, '')

/** Walks the graph back from the outputs: a file may hold the variables more than once. */
const parametersBehind = (nodes: readonly ProtoNode[], outputs: readonly string[]): number => {
  const byName = new Map(nodes.map((node) => [node.getName(), node]))
  const waiting = outputs.map(nodeNameOf)
  const seen = new Set<string>()
  let parameters = 0
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const node = byName.get(name)
    if (node === undefined || seen.has(name)) continue
    seen.add(name)
    if (VARIABLE_OPS.has(node.getOp())) parameters += valuesOf(node)
    waiting.push(...node.getInputList().map(nodeNameOf))
  }
  return parameters
}

/**
 * @param entry path of tfjs-node's entry, whose parser is used.
 * @param folder with saved_model.pb.
 * @throws BASE_INVALID
 */
export const readSignature = async (
  entry: string,
  folder: string,
): Promise<SavedModelSignature> => {
  const { readSavedModelProto } = createRequire(entry)('./saved_model.js') as ProtoModule
  const model = await readSavedModelProto(folder)
  const graph = model
    .getMetaGraphsList()
    .find((each) => (each.getMetaInfoDef()?.getTagsList() ?? []).join() === TAG)
  if (graph === undefined) throw invalid(`the SavedModel has no graph with the tag ${TAG} alone`)
  const signature = graph.getSignatureDefMap().get(SIGNATURE)
  if (signature === undefined) {
    const others = keysOf(graph.getSignatureDefMap()).filter((key) => !key.startsWith('__'))
    throw invalid(`the SavedModel has no signature ${SIGNATURE}; it has ${others.join(', ')}`)
  }
  const [inputs, outputs] = [signature.getInputsMap(), signature.getOutputsMap()]
  const [input, ...more] = keysOf(inputs)
  const tensor = input === undefined ? undefined : inputs.get(input)
  if (input === undefined || tensor === undefined || more.length > 0)
    throw invalid(`the signature ${SIGNATURE} has ${keysOf(inputs).length} inputs, not one`)
  const names = keysOf(outputs)
  const tensors = names.map((name) => outputs.get(name)?.getName() ?? '')
  return {
    input,
    inputShape: inputShapeOf(input, tensor),
    outputs: names,
    parameters: parametersBehind(graph.getGraphDef()?.getNodeList() ?? [], tensors),
  }
}
