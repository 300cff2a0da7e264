// Owns layers with several inputs. They work in the order of axes that their inputs have.
import { axisInMemory, type TensorValue } from '../tensor-value.js'
import { type CompileLayer, type LayerCall, UnsupportedSetting } from './layer-call.js'
import { intsOf, scalarOf } from './weights.js'

const atLeastTwo = ({ inputs }: LayerCall): readonly TensorValue[] => {
  if (inputs.length < 2) throw new UnsupportedSetting(`${inputs.length} inputs`)
  return inputs
}

/** TF.js gives a value of lower rank axes of length one after the batch. */
const toRank = (call: LayerCall, value: TensorValue, rank: number): TensorValue => {
  const missing = rank - value.shape.length
  if (missing === 0) return value
  const x = call.layouts.channelsLast(value)
  const axes = Array.from({ length: missing }, (_, i) => i + 1)
  const [batch = null, ...rest] = x.shape
  return {
    name: call.builder.node('Unsqueeze', [x.name, intsOf(call, 'axes', axes)]),
    shape: [batch, ...axes.map(() => 1), ...rest],
    channelsFirst: false,
  }
}

type Combine = (call: LayerCall, names: readonly string[]) => string

const elementwise =
  (combine: Combine): CompileLayer =>
  (call) => {
    const inputs = atLeastTwo(call)
    const rank = Math.max(...inputs.map(({ shape }) => shape.length))
    const values = call.layouts.align(inputs.map((value) => toRank(call, value, rank)))
    const name = combine(
      call,
      values.map((value) => value.name),
    )
    return {
      name,
      shape: call.outputShape,
      channelsFirst: values.some(({ channelsFirst }) => channelsFirst),
    }
  }

/** In the order of TF.js: ((a, b), c) ... */
const chain =
  (opType: string): Combine =>
  ({ builder }, names) =>
    names.reduce((sum, name) => builder.node(opType, [sum, name]))

const average: Combine = (call, names) => {
  const sum = chain('Add')(call, names)
  return call.builder.node('Mul', [sum, scalarOf(call, 'share', 1 / names.length)])
}

const concatenate: CompileLayer = (call) => {
  const values = call.layouts.align(atLeastTwo(call))
  const [first] = values
  const given = call.settings.number('axis')
  const axis = given < 0 ? given + call.outputShape.length : given
  if (first === undefined || axis < 1 || axis >= call.outputShape.length)
    throw new UnsupportedSetting(`axis ${given}`)
  const names = values.map(({ name }) => name)
  const name = call.builder.node('Concat', names, { axis: { int: axisInMemory(first, axis) } })
  return { name, shape: call.outputShape, channelsFirst: first.channelsFirst }
}

/** Products along the last axis of two vectors, or of two matrices along any of theirs. */
const dot: CompileLayer = (call) => {
  const { builder, settings } = call
  const [a, b] = atLeastTwo(call).map(call.layouts.channelsLast) as [TensorValue, TensorValue]
  const rank = a.shape.length
  const given = settings.raw('axes')
  const axes = (Array.isArray(given) ? given : [given, given]).map((axis: unknown) =>
    typeof axis === 'number' && axis < 0 ? axis + rank : axis,
  )
  const known = axes.length === 2 && axes.every((axis) => axis === 1 || (axis === 2 && rank === 3))
  if (b.shape.length !== rank || rank > 3 || !known || settings.raw('normalize') === true)
    throw new UnsupportedSetting(
      `axes ${JSON.stringify(given)} of ranks ${rank}, ${b.shape.length}`,
    )
  if (rank === 2) {
    const product = builder.node('Mul', [a.name, b.name])
    const name = builder.node('ReduceSum', [product, intsOf(call, 'axes', [1])])
    return { name, shape: call.outputShape, channelsFirst: false }
  }
  const turned = ({ name }: TensorValue, turn: boolean): string =>
    turn ? builder.node('Transpose', [name], { perm: { ints: [0, 2, 1] } }) : name
  const name = builder.node('MatMul', [turned(a, axes[0] === 1), turned(b, axes[1] === 2)])
  return { name, shape: call.outputShape, channelsFirst: false }
}

export const MERGE_LAYERS: Readonly<Record<string, CompileLayer>> = {
  Add: elementwise(chain('Add')),
  Multiply: elementwise(chain('Mul')),
  Average: elementwise(average),
  Maximum: elementwise(chain('Max')),
  Minimum: elementwise(chain('Min')),
  Concatenate: concatenate,
  Dot: dot,
}
