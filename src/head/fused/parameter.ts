// Owns how the numbers of one head lie among those of its group. Pure.

/** The kernels or the biases of one layer of all heads. */
export interface Parameter {
  /** 1 for biases. */
  readonly inputs: number
  readonly units: number
  readonly isKernel: boolean
  /** Kernels of the first layer lie side by side, [inputs, heads, units]; all else is [heads, ...]. */
  readonly sideBySide: boolean
  readonly weights: Float32Array
  readonly gradients: Float32Array
  readonly m: Float32Array
  /** Empty for sgd. */
  readonly v: Float32Array
}

/** Runs of numbers that belong to one head: [offset, length] each. */
export const runsOf = (parameter: Parameter, heads: number, head: number): [number, number][] => {
  const { inputs, units, sideBySide } = parameter
  if (!sideBySide) return [[head * inputs * units, inputs * units]]
  return Array.from({ length: inputs }, (_, row) => [(row * heads + head) * units, units])
}

export const readRuns = (values: Float32Array, runs: readonly [number, number][]): Float32Array => {
  const result = new Float32Array(runs.reduce((sum, [, length]) => sum + length, 0))
  let at = 0
  for (const [offset, length] of runs) {
    result.set(values.subarray(offset, offset + length), at)
    at += length
  }
  return result
}

export const writeRuns = (
  values: Float32Array,
  runs: readonly [number, number][],
  from: Float32Array,
): void => {
  let at = 0
  for (const [offset, length] of runs) {
    values.set(from.subarray(at, at + length), offset)
    at += length
  }
}
