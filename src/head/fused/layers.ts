// Owns the layers of a preset head as plain numbers: their shapes and their initial weights, the same
// that build.ts and initial.ts give the model of the head. Pure.
import { glorotUniform } from '../initial.js'
import { createRandom } from '../random.js'
import type { PresetSpec } from '../spec.js'

export interface LayerShape {
  readonly inputs: number
  readonly units: number
}

/** Kernel [inputs, units] and bias [units] of each layer, as a model lists them. */
export type Weights = readonly Float32Array[]

/** @param width numbers of one feature. @param units outputs of the task. */
export const layerShapes = (spec: PresetSpec, width: number, units: number): LayerShape[] => {
  const hidden = spec.kind === 'mlp' ? Array.from({ length: spec.depth }, () => spec.width) : []
  const sizes = [width, ...hidden, units]
  return sizes.slice(1).map((out, layer) => ({ inputs: sizes[layer] as number, units: out }))
}

export const parametersOf = (layers: readonly LayerShape[]): number =>
  layers.reduce((sum, { inputs, units }) => sum + (inputs + 1) * units, 0)

export const initialWeights = (layers: readonly LayerShape[], seed: number): Weights =>
  layers.flatMap(({ inputs, units }, layer) => [
    // Kernels are the even ones among the weights of a model: each is drawn from a stream of its own.
    glorotUniform([inputs, units], createRandom(seed, 'weight', 2 * layer)),
    new Float32Array(units),
  ])
