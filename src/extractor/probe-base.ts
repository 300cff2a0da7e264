// Owns the small convolutional network on which `headstart doctor` times engines: made in memory, the
// same weights everywhere. Its rates compare engines of one machine; they say nothing of other networks.
import { sha256 } from '../identity/hash.js'
import type { TfjsBase } from './base/loaded-base.js'
import type { WeightSpec } from './base/model-json.js'
import { createNoise } from './probe-inputs.js'

export const PROBE_SIZE = 96
export const PROBE_CUT = 'features'

/** Channels of the depthwise-separable blocks; the second number is the stride. */
const BLOCKS = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
] as const
const STEM_CHANNELS = 32

interface Layer {
  readonly className: string
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[]
}

const convolution = (name: string, kernel: number, stride: number, from: number, to: number) => ({
  className: 'Conv2D',
  name,
  config: {
    filters: to,
    kernel_size: [kernel, kernel],
    strides: [stride, stride],
    padding: 'same',
    use_bias: false,
    activation: 'relu',
  },
  weights: [{ name: `${name}/kernel`, shape: [kernel, kernel, from, to] }],
})

const depthwise = (name: string, stride: number, channels: number): Layer => ({
  className: 'DepthwiseConv2D',
  name,
  config: {
    kernel_size: [3, 3],
    strides: [stride, stride],
    padding: 'same',
    use_bias: false,
    activation: 'relu',
  },
  weights: [{ name: `${name}/depthwise_kernel`, shape: [3, 3, channels, 1] }],
})

const layersOf = (): Layer[] => {
  const layers: Layer[] = [convolution('stem', 3, 2, 3, STEM_CHANNELS)]
  let channels = STEM_CHANNELS
  for (const [i, [to, stride]] of BLOCKS.entries()) {
    layers.push(depthwise(`depthwise_${i}`, stride, channels))
    layers.push(convolution(`pointwise_${i}`, 1, 1, channels, to))
    channels = to
  }
  layers.push({ className: 'GlobalAveragePooling2D', name: PROBE_CUT, config: {}, weights: [] })
  return layers
}

const topologyOf = (layers: readonly Layer[]) => ({
  class_name: 'Sequential',
  config: {
    name: 'probe',
    layers: layers.map(({ className, name, config }, i) => ({
      class_name: className,
      config: {
        name,
        ...config,
        ...(i === 0 ? { batch_input_shape: [null, PROBE_SIZE, PROBE_SIZE, 3] } : {}),
      },
    })),
  },
})

/** A Sequential of 9 layers and about 60,000 parameters; input [96, 96, 3], features [256]. */
export const makeProbeBase = (): TfjsBase => {
  const layers = layersOf()
  const weightSpecs: WeightSpec[] = layers.flatMap(({ weights }) =>
    weights.map(({ name, shape }) => ({ name, shape: [...shape], dtype: 'float32' as const })),
  )
  const next = createNoise(2)
  const values = weightSpecs.flatMap(({ shape }) => {
    const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1)
    // He initialisation keeps the activations of relu layers in one range.
    const scale = Math.sqrt(6 / fanIn)
    const length = shape.reduce((a, b) => a * b, 1)
    return Array.from({ length }, () => (next() / 2 ** 31 - 1) * scale)
  })
  const weights = new Uint8Array(new SharedArrayBuffer(values.length * 4))
  new Float32Array(weights.buffer).set(values)
  const topology = topologyOf(layers)
  const baseId = sha256(JSON.stringify(topology), weights)
  return { baseId, format: 'layers-model', topology, signature: undefined, weightSpecs, weights }
}
