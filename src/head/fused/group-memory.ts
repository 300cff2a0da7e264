// Owns the memory of a group: weights, moments and gradients of all its heads, and the optimizer step over
// them. One block that the kernels own; onnxruntime reads and writes views of it.

import type { PresetSpec } from '../spec.js'
import { createKernel, type StepVectors } from './kernel.js'
import type { LayerShape, Weights } from './layers.js'
import { type Parameter, readRuns, runsOf, writeRuns } from './parameter.js'

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8
const LANES = 4

export interface GroupMemory {
  readonly parameters: readonly Parameter[]
  /** Weights and moments of all heads as they lie: what a checkpoint keeps. */
  readonly state: Float32Array
  /** One optimizer step from the gradients. @param step counts from 1. */
  update(step: number): void
  write(head: number, weights: Weights): void
  /** Whether all weights are. */
  isFinite(): boolean
  /** A copy. */
  read(head: number): Float32Array[]
  /** Takes over weights and moments of a head of another group of the same shapes. */
  take(head: number, from: GroupMemory, other: number): void
}

type Slot = 'weights' | 'm' | 'v'

/** A difference of a number with itself is 0 unless it is not finite. */
const allFinite = (values: Float32Array): boolean => {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number
    if (value - value !== 0) return false
  }
  return true
}

const padded = (count: number): number => Math.ceil(count / LANES) * LANES

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
  const firstUnits = (layers[0] as LayerShape).units
  const shapes = layers.flatMap(({ inputs, units }, layer) => [
    { inputs, units, isKernel: true, sideBySide: layer === 0 },
    { inputs: 1, units, isKernel: false, sideBySide: false },
  ])
  const sizes = shapes.map(({ inputs, units }) => padded(inputs * units * heads))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const slots = optimizer === 'adam' ? 3 : 2
  const vectorSize = padded(heads * firstUnits) + heads * LANES
  const kernel = createKernel(4 * (total * (slots + 1) + 4 * vectorSize + 2 * LANES))
  let used = 0
  const allot = (length: number): Float32Array => {
    const view = new Float32Array(kernel.buffer, used, length)
    used += 4 * padded(length)
    return view
  }
  const block = (): Float32Array[] =>
    shapes.map(({ inputs, units }) => allot(inputs * units * heads))
  const weights = block()
  const m = block()
  const v = optimizer === 'adam' ? block() : []
  const state = new Float32Array(kernel.buffer, 0, used / 4)
  const gradients = block()
  const parameters = shapes.map(
    (shape, index): Parameter => ({
      ...shape,
      weights: weights[index] as Float32Array,
      gradients: gradients[index] as Float32Array,
      m: m[index] as Float32Array,
      v: v[index] ?? new Float32Array(0),
    }),
  )
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

  const update = (step: number): void => {
    if (optimizer === 'sgd') {
      for (const { arrays, vectors } of calls) kernel.sgd(arrays, vectors)
      return
    }
    const root = Math.sqrt(1 - BETA2 ** step)
    fill(rate, firstUnits, (head) => (spec(head).learningRate * root) / (1 - BETA1 ** step))
    for (const { arrays, vectors } of calls) kernel.adam(arrays, vectors, EPSILON * root)
  }

  return {
    parameters,
    state,
    update,
    isFinite: () => parameters.every(({ weights: values }) => allFinite(values)),
    write: (head, values) => {
      for (const [index, parameter] of parameters.entries())
        writeRuns(parameter.weights, runsOf(parameter, heads, head), values[index] as Float32Array)
    },
    read: (head) =>
      parameters.map((parameter) => readRuns(parameter.weights, runsOf(parameter, heads, head))),
    take: (head, from, other) => {
      const slotsTaken: readonly Slot[] =
        optimizer === 'adam' ? ['weights', 'm', 'v'] : ['weights', 'm']
      for (const [index, parameter] of parameters.entries()) {
        const source = from.parameters[index] as Parameter
        const others = source.weights.length / (source.inputs * source.units)
        for (const slot of slotsTaken) {
          const values = readRuns(source[slot], runsOf(source, others, other))
          writeRuns(parameter[slot], runsOf(parameter, heads, head), values)
        }
      }
    },
  }
}
