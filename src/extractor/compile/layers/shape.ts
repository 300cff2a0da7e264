// Owns layers that move values without computing, those that do nothing in prediction, and Rescaling.
import { axisInMemory, channelDims, type Shape, type TensorValue } from '../tensor-value.js'
import {
  type CompileLayer,
  inputOf,
  type LayerCall,
  requireSetting,
  UnsupportedSetting,
} from './layer-call.js'
import { constantOf, intsOf, scalarOf } from './weights.js'

/** All spatial axes have length one: both orders of axes are the same in memory. */
const isVector = (shape: Shape): boolean =>
  shape.length > 2 && shape.slice(1, -1).every((length) => length === 1)

const flatten: CompileLayer = (call) => {
  requireSetting(call.settings, 'dataFormat', 'channelsLast')
  const given = inputOf(call)
  const x = isVector(given.shape) ? given : call.layouts.channelsLast(given)
  return {
    name: call.builder.node('Flatten', [x.name]),
    shape: call.outputShape,
    channelsFirst: false,
  }
}

/** The batch is copied (0), one unknown length may follow from the others (-1). */
const targetOf = (shape: Shape): number[] => {
  const target = shape.slice(1).map((length) => length ?? -1)
  if (target.includes(0) || target.filter((length) => length === -1).length > 1)
    throw new UnsupportedSetting(`targetShape ${JSON.stringify(shape)}`)
  return [0, ...target]
}

const reshape: CompileLayer = (call) => {
  const given = inputOf(call)
  const { outputShape: shape } = call
  const x = isVector(given.shape) ? given : call.layouts.channelsLast(given)
  const target = targetOf(shape)
  const name = (dims: readonly number[]): string =>
    call.builder.node('Reshape', [x.name, intsOf(call, 'shape', dims)])
  // Convolutions follow most of these; written in their order, they need no Transpose.
  if (!isVector(shape)) return { name: name(target), shape, channelsFirst: false }
  const ones = shape.slice(2).map(() => 1)
  return { name: name([0, target.at(-1) ?? -1, ...ones]), shape, channelsFirst: true }
}

const permute: CompileLayer = (call) => {
  const x = call.layouts.channelsLast(inputOf(call))
  const perm = { ints: [0, ...call.settings.numbers('dims')] }
  const name = call.builder.node('Transpose', [x.name], { perm })
  return { name, shape: call.outputShape, channelsFirst: false }
}

const repeatVector: CompileLayer = (call) => {
  const { builder } = call
  const rows = builder.node('Unsqueeze', [inputOf(call).name, intsOf(call, 'axes', [1])])
  const repeats = intsOf(call, 'repeats', [1, call.settings.number('n'), 1])
  const name = builder.node('Tile', [rows, repeats])
  return { name, shape: call.outputShape, channelsFirst: false }
}

type Margins = readonly [readonly [number, number], readonly [number, number]]

/** [[top, bottom], [left, right]] */
const marginsOf = (call: LayerCall, key: string): Margins => {
  requireSetting(call.settings, 'dataFormat', 'channelsLast')
  const given = call.settings.raw(key)
  const isPair = (value: unknown): boolean =>
    Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n) && n >= 0)
  if (!Array.isArray(given) || given.length !== 2 || !given.every(isPair))
    throw new UnsupportedSetting(`${key} ${JSON.stringify(given)}`)
  return given as unknown as Margins
}

const zeroPadding: CompileLayer = (call) => {
  const x = inputOf(call)
  const [[top, bottom], [left, right]] = marginsOf(call, 'padding')
  const [height, width] = [axisInMemory(x, 1), axisInMemory(x, 2)]
  const pads = new Array<number>(8).fill(0)
  pads[height] = top
  pads[width] = left
  pads[height + 4] = bottom
  pads[width + 4] = right
  const name = call.builder.node('Pad', [x.name, intsOf(call, 'pads', pads)])
  return { ...x, name, shape: call.outputShape }
}

const TO_THE_END = 2 ** 31 - 1

const cropping: CompileLayer = (call) => {
  const x = inputOf(call)
  const [[top, bottom], [left, right]] = marginsOf(call, 'cropping')
  const ends = [bottom, right].map((margin) => (margin === 0 ? TO_THE_END : -margin))
  const name = call.builder.node('Slice', [
    x.name,
    intsOf(call, 'starts', [top, left]),
    intsOf(call, 'ends', ends),
    intsOf(call, 'axes', [axisInMemory(x, 1), axisInMemory(x, 2)]),
  ])
  return { ...x, name, shape: call.outputShape }
}

/** TF.js takes the pixel at i / size, without half a pixel of offset. */
const upSampling: CompileLayer = (call) => {
  requireSetting(call.settings, 'dataFormat', 'channelsLast')
  const x = call.layouts.channelsFirst(inputOf(call))
  const size = call.settings.numbers('size')
  if (size.length !== 2 || !size.every((factor) => Number.isInteger(factor) && factor > 0))
    throw new UnsupportedSetting(`size ${JSON.stringify(size)}`)
  const nearest = call.settings.string('interpolation') === 'nearest'
  const scales = constantOf(call, 'scales', () => ({
    data: Float32Array.of(1, 1, ...size),
    shape: [4],
  }))
  const name = call.builder.node('Resize', [x.name, '', scales], {
    mode: { string: nearest ? 'nearest' : 'linear' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    ...(nearest ? { nearest_mode: { string: 'floor' } } : {}),
  })
  return { name, shape: call.outputShape, channelsFirst: true }
}

/** One number, or one a channel. */
const factorOf = (call: LayerCall, x: TensorValue, key: string): string => {
  const given = call.settings.raw(key)
  if (!Array.isArray(given)) return scalarOf(call, key, call.settings.number(key))
  const values = call.settings.numbers(key)
  if (values.length !== x.shape.at(-1)) throw new UnsupportedSetting(`${key} ${given}`)
  return constantOf(call, x.channelsFirst ? `${key}, channels first` : key, () => ({
    data: Float32Array.from(values),
    shape: channelDims(x, values.length),
  }))
}

const rescaling: CompileLayer = (call) => {
  const x = inputOf(call)
  const { builder, settings } = call
  const scaled =
    settings.raw('scale') === 1 ? x.name : builder.node('Mul', [x.name, factorOf(call, x, 'scale')])
  const moved =
    settings.raw('offset') === 0
      ? scaled
      : builder.node('Add', [scaled, factorOf(call, x, 'offset')])
  return { ...x, name: moved }
}

export const SHAPE_LAYERS: Readonly<Record<string, CompileLayer>> = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding2D: zeroPadding,
  Cropping2D: cropping,
  UpSampling2D: upSampling,
  Rescaling: rescaling,
  Dropout: inputOf,
  SpatialDropout1D: inputOf,
  GaussianNoise: inputOf,
  GaussianDropout: inputOf,
  AlphaDropout: inputOf,
}
