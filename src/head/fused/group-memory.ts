// Owns the memory of a group while it is trained: weights, moments and gradients of all its heads, and the
// optimizer step over them. One block that the kernels own; onnxruntime reads and writes views of it.

import type { PresetSpec } from '../spec.js'
import { createKernel, type StepVectors } from './kernel.js'
import type { LayerShape } from './layers.js'
import {
  arrayLength,
  arraysIn,
  type GroupShape,
  LANES,
  type Parameter,
  padded,
  parametersIn,
  stateLength,
} from './parameter.js'

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8

/** A parameter with what its next step is computed from. */
export type TrainedParameter = Parameter & { readonly gradients: Float32Array }

export interface GroupMemory {
  readonly parameters: readonly TrainedParameter[]
  /** Weights and moments of all heads, in the order of parametersIn. */
  readonly state: Float32Array
  /** One optimizer step from the gradients. @param step counts from 1. */
  update(step: number): void
}

/** Settings of the heads as vectors: four equal numbers a head, and one number a column of the first layer. */
interface Vector {
  readonly few: Float32Array
  readonly wide: Float32Array
}

const fill = ({ few, wide }: Vector, units: number, numberOf: (head: number) => number): void => {
  const heads = few.length / LANES
  for (let head = 0; head < heads; head += 1) {
    const value = numberOf(head)
    few.fill(value, head * LANES, (head + 1) * LANES)
    wide.fill(value, head * units, (head + 1) * units)
  }
}

export const createGroupMemory = (
  layers: readonly LayerShape[],
  specs: readonly PresetSpec[],
  optimizer: 'adam' | 'sgd',
): GroupMemory => {
  const heads = specs.length
  const shape: GroupShape = { heads, layers, optimizer }
  const firstUnits = (layers[0] as LayerShape).units
  const stateSize = stateLength(shape)
  const vectorSize = padded(heads * firstUnits) + heads * LANES
  const kernel = createKernel(4 * (stateSize + arrayLength(shape) + 4 * vectorSize + 2 * LANES))
  const all = new Float32Array(kernel.buffer)
  const gradients = arraysIn(all, stateSize, shape)
  const parameters = parametersIn(all, shape).map(
    (parameter, index): TrainedParameter => ({
      ...parameter,
      gradients: gradients[index] as Float32Array,
    }),
  )
  let used = stateSize + arrayLength(shape)
  const allot = (length: number): Float32Array => {
    const view = all.subarray(used, used + length)
    used += padded(length)
    return view
  }
  const vector = (): Vector => ({ few: allot(heads * LANES), wide: allot(heads * firstUnits) })
  const [rate, l2, keep, momentum] = [vector(), vector(), vector(), vector()]
  const zeros = allot(LANES)
  const ones = allot(LANES).fill(1)
  const spec = (head: number): PresetSpec => specs[head] as PresetSpec
  fill(l2, firstUnits, (head) => 2 * spec(head).l2)
  fill(keep, firstUnits, (head) => 1 - spec(head).learningRate * spec(head).weightDecay)
  fill(momentum, firstUnits, (head) => spec(head).momentum ?? 0)
  fill(rate, firstUnits, (head) => spec(head).learningRate)

  const wideVectors: StepVectors = {
    rate: rate.wide.byteOffset,
    l2: l2.wide.byteOffset,
    keep: keep.wide.byteOffset,
    momentum: momentum.wide.byteOffset,
    oneForAll: false,
  }
  /** Biases have neither l2 nor decay. */
  const vectorsOf = (head: number, isKernel: boolean): StepVectors => {
    const at = 4 * LANES * head
    return {
      rate: rate.few.byteOffset + at,
      l2: isKernel ? l2.few.byteOffset + at : zeros.byteOffset,
      keep: isKernel ? keep.few.byteOffset + at : ones.byteOffset,
      momentum: momentum.few.byteOffset + at,
      oneForAll: true,
    }
  }
  /** The calls of one step: where the numbers of a head lie together, one a head. */
  const calls = parameters.flatMap((parameter) => {
    const { inputs, units, isKernel, sideBySide } = parameter
    const at = (offset: number, rows: number, columns: number) => ({
      weights: parameter.weights.byteOffset + offset,
      gradients: parameter.gradients.byteOffset + offset,
      m: parameter.m.byteOffset + offset,
      v: parameter.v.byteOffset + offset,
      rows,
      columns,
    })
    if (sideBySide && heads > 1)
      return [{ arrays: at(0, inputs, heads * units), vectors: wideVectors }]
    return specs.map((_, head) => ({
      arrays: at(4 * head * inputs * units, 1, inputs * units),
      vectors: vectorsOf(head, isKernel),
    }))
  })

  return {
    parameters,
    state: all.subarray(0, stateSize),
    update: (step) => {
      if (optimizer === 'sgd') {
        for (const { arrays, vectors } of calls) kernel.sgd(arrays, vectors)
        return
      }
      const root = Math.sqrt(1 - BETA2 ** step)
      fill(rate, firstUnits, (head) => (spec(head).learningRate * root) / (1 - BETA1 ** step))
      for (const { arrays, vectors } of calls) kernel.adam(arrays, vectors, EPSILON * root)
    },
  }
}
