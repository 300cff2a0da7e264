// Owns what the function of an operation is given: its node, its inputs by kind, and the writer.
import { attributeReader, type ReadAttribute } from './attributes.js'
import { type Dimension, sizeOf } from './dimension.js'
import { demand, refuse } from './refusal.js'
import type { GraphNode } from './topology.js'
import { type Float, type Integers, isFloat, isIntegers, type Value } from './value.js'
import type { Writer } from './writer.js'

export interface Operation {
  readonly node: GraphNode
  readonly inputs: readonly Value[]
  readonly writer: Writer
  readonly attribute: ReadAttribute
}

/** Compiles one node. An array has the outputs of a node with several. Throws Refusal. */
export type Compile = (operation: Operation) => Value | readonly Value[]

export const createOperation = (
  node: GraphNode,
  inputs: readonly Value[],
  writer: Writer,
): Operation => ({ node, inputs, writer, attribute: attributeReader(node) })

export const input = ({ inputs }: Operation, index: number): Value =>
  inputs[index] ?? refuse(`there is no input ${index}`)

export const floatInput = (operation: Operation, index: number): Float => {
  const value = input(operation, index)
  return isFloat(value) ? value : refuse(`the input ${index} is no float tensor`)
}

export const floatInputs = ({ inputs }: Operation): readonly Float[] => {
  demand(inputs.length > 0 && inputs.every(isFloat), 'an input is no float tensor')
  return inputs as readonly Float[]
}

export const integersInput = (operation: Operation, index: number): Integers => {
  const value = input(operation, index)
  return isIntegers(value) ? value : refuse(`the input ${index} is not known`)
}

/** Whole numbers that do not depend on the input of the base. */
export const numbersOf = (values: readonly Dimension[]): number[] =>
  values.map((dim) => sizeOf(dim) ?? refuse('a number depends on the input'))

export const numbersInput = (operation: Operation, index: number): number[] =>
  numbersOf(integersInput(operation, index).values)

export const numberInput = (operation: Operation, index: number): number => {
  const [number, ...others] = numbersInput(operation, index)
  return number !== undefined && others.length === 0 ? number : refuse('not one number')
}

/** From 0, whether it was counted from the front or from the back. */
export const axisOf = (axis: number, rank: number): number => {
  demand(axis >= -rank && axis < rank, `there is no axis ${axis}`)
  return axis < 0 ? axis + rank : axis
}

/** Appends an ONNX node, named after the operation. */
export const write = (
  { node, writer: { builder } }: Operation,
  opType: string,
  inputs: readonly string[],
  attributes?: Parameters<Writer['builder']['node']>[2],
): string => builder.node(opType, inputs, attributes, builder.unique(`${node.name}/${opType}`))
