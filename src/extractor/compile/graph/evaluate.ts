// Owns going through the nodes of a GraphModel: each gives its values, or is listed as unsupported and
// leaves whatever reads it out.
import type { Unsupported } from '../record.js'
import { product } from './dimension.js'
import { readInput } from './graph-input.js'
import { createOperation } from './operation.js'
import { OPERATIONS } from './operations.js'
import { demand, Refusal, refuse } from './refusal.js'
import type { GraphNode, Topology } from './topology.js'
import { isFloat, type Value } from './value.js'
import type { Writer } from './writer.js'

const MAX_RANK = 8
/** Of one tensor, as far as its sizes are known; a gigabyte of float32. */
const MAX_TENSOR_VALUES = 2 ** 28

export interface Evaluation {
  /** Outputs by node. */
  readonly values: ReadonlyMap<string, readonly Value[]>
  readonly unsupported: readonly Unsupported[]
}

export interface EvaluateRequest {
  readonly topology: Topology
  /** Name of the node that is fed. */
  readonly input: string
  readonly weights: ReadonlyMap<string, Value>
  readonly writer: Writer
}

const assertBounded = (value: Value): void => {
  if (!isFloat(value)) return
  demand(value.dims.length <= MAX_RANK, 'more axes than TF.js has')
  demand(product(value.dims).factor <= MAX_TENSOR_VALUES, 'a tensor without bounds')
}

/** Null where an input depends on an unsupported node. */
const inputsOf = (
  { inputs }: GraphNode,
  values: ReadonlyMap<string, readonly Value[]>,
): Value[] | null => {
  const found: Value[] = []
  for (const { node, output } of inputs) {
    const outputs = values.get(node)
    if (outputs === undefined) return null
    found.push(outputs[output] ?? refuse(`${node} has no output ${output}`))
  }
  return found
}

export const evaluate = ({ topology, input, weights, writer }: EvaluateRequest): Evaluation => {
  const values = new Map<string, readonly Value[]>()
  const unsupported: Unsupported[] = []

  const outputsOf = (node: GraphNode): readonly Value[] | null => {
    if (node.name === input) return [readInput(node, writer.symbols)]
    // TF.js takes a weight for any node of its name, and does not look at the node.
    const weight = weights.get(node.name)
    if (weight !== undefined) return [weight]
    const compile = OPERATIONS.get(node.op) ?? refuse('an operation without a counterpart')
    const inputs = inputsOf(node, values)
    if (inputs === null) return null
    const result = compile(createOperation(node, inputs, writer))
    return 'kind' in result ? [result] : result
  }

  for (const node of topology.nodes) {
    try {
      const outputs = outputsOf(node)
      if (outputs === null) continue
      outputs.forEach(assertBounded)
      values.set(node.name, outputs)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      unsupported.push({ path: node.name, className: node.op })
    }
  }
  return { values, unsupported }
}
