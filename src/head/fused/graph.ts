// Owns the two graphs of a group of heads: one step (loss gradient and weight gradients) and the forward
// pass. Knows no numbers: rows, heads and weights come with each call.

import type { Target } from '../../dataset/types.js'
import type { Attributes } from '../../extractor/onnx/graph-builder.js'
import { type FloatInput, newOnnxModel } from '../../extractor/onnx/new-model.js'

export interface GraphShape {
  readonly task: Target['kind']
  /** Numbers of one feature. */
  readonly inputs: number
  /** Outputs of one head. */
  readonly units: number
  /** Hidden layers of one head: 0 for linear, and then the width is 0, too. */
  readonly depth: number
  readonly width: number
  /** Whether activations are masked between hidden layers; masks over the features are the caller's. */
  readonly dropout: boolean
}

type Node = (opType: string, inputs: readonly string[], attributes?: Attributes) => string

interface Parts {
  readonly node: Node
  readonly ints: (values: readonly number[]) => string
  readonly scalar: (value: number) => string
}

/** [rows, heads, units] to [heads, rows, units] and back. */
const swap = (node: Node, x: string): string =>
  node('Transpose', [x], { perm: { ints: [1, 0, 2] } })
const transposed = (node: Node, x: string): string =>
  node('Transpose', [x], { perm: { ints: [0, 2, 1] } })

/** Kernel and bias of each layer. The first layer is one matrix over all heads, [inputs, heads * units]. */
const weightInputs = ({ inputs, units, depth, width }: GraphShape): FloatInput[] =>
  Array.from({ length: depth + 1 }, (_, layer) => {
    const out = layer === depth ? units : width
    return layer === 0
      ? [
          { name: 'w0', dims: [inputs, 'columns'] },
          { name: 'b0', dims: ['columns'] },
        ]
      : [
          { name: `w${layer}`, dims: ['heads', width, out] },
          { name: `b${layer}`, dims: ['heads', 1, out] },
        ]
  }).flat()

/** One mask a hidden layer, of what goes into layer 1, 2, ...; shared by the heads of a group. */
const maskInputs = ({ depth, width, dropout }: GraphShape): FloatInput[] =>
  dropout
    ? Array.from({ length: depth }, (_, index) => ({
        name: `mask${index + 1}`,
        dims: [1, 'rows', width],
      }))
    : []

interface Forward {
  /** [rows, heads, units] */
  readonly logits: string
  /** What goes into layer 1, 2, ..., [heads, rows, width] each. */
  readonly hidden: readonly string[]
}

const forward = ({ node, ints }: Parts, shape: GraphShape, masked: boolean): Forward => {
  const { depth, width, units } = shape
  const first = node('Add', [node('MatMul', ['x', 'w0']), 'b0'])
  if (depth === 0) return { logits: node('Reshape', [first, ints([0, -1, units])]), hidden: [] }
  const hidden: string[] = []
  const hide = (z: string): void => {
    const active = node('Relu', [z])
    hidden.push(masked ? node('Mul', [active, `mask${hidden.length + 1}`]) : active)
  }
  hide(swap(node, node('Reshape', [first, ints([0, -1, width])])))
  for (let layer = 1; ; layer += 1) {
    const product = node('MatMul', [hidden[layer - 1] as string, `w${layer}`])
    const z = node('Add', [product, `b${layer}`])
    if (layer === depth) return { logits: swap(node, z), hidden }
    hide(z)
  }
}

const PREDICTION = { single: 'Softmax', multi: 'Sigmoid', regression: 'Identity' } as const

/** Probabilities, or values of standardised targets. */
const predictions = (node: Node, task: GraphShape['task'], logits: string): string =>
  node(PREDICTION[task], [logits], task === 'single' ? { axis: { int: -1 } } : {})

/**
 * The gradient of the losses in losses.ts with respect to the logits, [rows, heads, units]; `share`
 * holds what a row weighs for a head over what the mean divides by.
 */
const lossGradient = ({ node, scalar }: Parts, shape: GraphShape, logits: string): string => {
  const predicted = predictions(node, shape.task, logits)
  const wanted = node('Add', [node('Mul', ['y', 'slope']), 'offset'])
  if (shape.task !== 'multi') return node('Mul', [node('Sub', [predicted, wanted]), 'share'])
  const one = scalar(1)
  const up = node('Mul', [node('Sub', [one, wanted]), predicted])
  const positive = node('Mul', [wanted, 'positive'])
  const down = node('Mul', [positive, node('Sub', [one, predicted])])
  return node('Mul', [node('Sub', [up, down]), 'share'])
}

type Gradients = { readonly kernel: string; readonly bias: string }[]

/** Gradients of each layer's kernel and bias, in the shapes of weightInputs. */
const backward = (
  parts: Parts,
  shape: GraphShape,
  { hidden }: Forward,
  slope: string,
): Gradients => {
  const { node, ints } = parts
  const gradients: Gradients = []
  let error = shape.depth === 0 ? slope : swap(node, slope)
  for (let layer = shape.depth; layer > 0; layer -= 1) {
    const into = hidden[layer - 1] as string
    gradients.unshift({
      kernel: node('MatMul', [transposed(node, into), error]),
      bias: node('ReduceSum', [error, ints([1])], { keepdims: { int: 1 } }),
    })
    const back = node('MatMul', [error, transposed(node, `w${layer}`)])
    // What is not negative has the sign 1 where ReLU, and the mask, let something through.
    const passed = node('Mul', [back, node('Sign', [into])])
    error = shape.dropout ? node('Mul', [passed, `mask${layer}`]) : passed
  }
  const flat = node('Reshape', [shape.depth === 0 ? error : swap(node, error), ints([0, -1])])
  gradients.unshift({
    kernel: node('Gemm', ['x', flat], { transA: { int: 1 } }),
    bias: node('ReduceSum', [flat, ints([0])], { keepdims: { int: 0 } }),
  })
  return gradients
}

const model = (
  name: string,
  inputs: readonly FloatInput[],
  build: (parts: Parts) => Readonly<Record<string, string>>,
): Uint8Array =>
  newOnnxModel(name, inputs, (builder) => {
    const outputs = build({
      node: (opType, from, attributes) => builder.node(opType, from, attributes),
      ints: (values) => builder.ints('shape', values),
      scalar: (value) => builder.scalar('value', value),
    })
    return Object.entries(outputs).map(([output, value]) =>
      builder.node('Identity', [value], {}, output),
    )
  })

/**
 * In: x [rows, inputs], y [rows, 1, units], slope and offset [1, heads, units] (what a head is trained
 * towards is slope * y + offset), share [rows, heads, 1], positive [1, heads, units] for `multi`, the
 * masks [1, rows, width], and w0, b0, w1, ... Out: gw0, gb0, gw1, ... in the shapes of the weights.
 */
export const stepGraph = (shape: GraphShape): Uint8Array => {
  const { inputs, units, task } = shape
  const given: FloatInput[] = [
    { name: 'x', dims: ['rows', inputs] },
    { name: 'y', dims: ['rows', 1, units] },
    { name: 'slope', dims: [1, 'heads', units] },
    { name: 'offset', dims: [1, 'heads', units] },
    { name: 'share', dims: ['rows', 'heads', 1] },
    ...(task === 'multi' ? [{ name: 'positive', dims: [1, 'heads', units] }] : []),
    ...maskInputs(shape),
    ...weightInputs(shape),
  ]
  return model('step', given, (parts) => {
    const passed = forward(parts, shape, shape.dropout)
    const slope = lossGradient(parts, shape, passed.logits)
    const gradients = backward(parts, shape, passed, slope)
    return Object.fromEntries(
      gradients.flatMap(({ kernel, bias }, layer) => [
        [`gw${layer}`, kernel],
        [`gb${layer}`, bias],
      ]),
    )
  })
}

/** In: x and the weights. Out: p [rows, heads, units], without dropout. */
export const forwardGraph = (shape: GraphShape): Uint8Array =>
  model(
    'forward',
    [{ name: 'x', dims: ['rows', shape.inputs] }, ...weightInputs(shape)],
    (parts) => ({
      p: predictions(parts.node, shape.task, forward(parts, shape, false).logits),
    }),
  )
