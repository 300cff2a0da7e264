// Owns normalisations. BatchNormalization stays a node of its own, so that it can be cut; whoever runs
// the graph folds it into the convolution before it.
import type { TensorValue } from '../tensor-value.js'
import {
  type CompileLayer,
  inputOf,
  type LayerCall,
  UnsupportedSetting,
  type Weight,
  weightOf,
} from './layer-call.js'
import { constantOf } from './weights.js'

const filled = (shape: readonly number[], value: number): Weight => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
  shape,
})

/** TF.js on cpu and wasm misreads statistics along another axis than the last, so there is nothing to agree with. */
const assertLastAxis = ({ settings }: LayerCall, { shape }: TensorValue): void => {
  const axis = settings.number('axis')
  if (axis !== -1 && axis !== shape.length - 1) throw new UnsupportedSetting(`axis ${axis}`)
}

const batchNormalization: CompileLayer = (call) => {
  const x = call.layouts.channelsFirst(inputOf(call))
  assertLastAxis(call, x)
  const mean = weightOf(call, 'moving_mean')
  const constant = (key: string, otherwise: number): string =>
    constantOf(call, key, () => call.weight(key) ?? filled(mean.shape, otherwise))
  const name = call.builder.node(
    'BatchNormalization',
    [
      x.name,
      constant('gamma', 1),
      constant('beta', 0),
      constant('moving_mean', 0),
      constant('moving_variance', 1),
    ],
    { epsilon: { float: call.settings.number('epsilon') } },
  )
  return { ...x, name }
}

/** Over the last axes, all of them up to the end. */
const layerNormalization: CompileLayer = (call) => {
  const x = call.layouts.channelsLast(inputOf(call))
  const axes = call.settings.numbers('axis')
  const first = x.shape.length - axes.length
  if (axes.length === 0 || axes.some((axis, i) => axis !== first + i))
    throw new UnsupportedSetting(`axis ${JSON.stringify(axes)}`)
  const shape = axes.map((axis) => {
    const length = x.shape[axis]
    if (length == null) throw new UnsupportedSetting('an axis of no fixed size')
    return length
  })
  const scale = constantOf(call, 'gamma', () => call.weight('gamma') ?? filled(shape, 1))
  const bias = constantOf(call, 'beta', () => call.weight('beta') ?? filled(shape, 0))
  const name = call.builder.node('LayerNormalization', [x.name, scale, bias], {
    axis: { int: first },
    epsilon: { float: call.settings.number('epsilon') },
  })
  return { ...x, name }
}

export const NORMALISATION_LAYERS: Readonly<Record<string, CompileLayer>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
}
