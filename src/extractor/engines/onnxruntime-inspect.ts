// Owns what can be learned of an ONNX base: its input, what can be cut, how many parameters it has.
import { HeadstartError } from '../../errors.js'
import type { CutPoint } from '../base/load.js'
import type { OnnxBase } from '../base/loaded-base.js'
import { channelAxis, imageLayout } from '../layout.js'
import { PREPARED_INPUT, takeRows } from '../onnx/border.js'
import { assertOnnxModel } from '../onnx/check.js'
import { keepOutputs } from '../onnx/cut.js'
import { type GraphInput, graphInputOf, onlyInput } from '../onnx/graph-input.js'
import { type OnnxModel, parseOnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import { outputsFedBy, type Reached } from '../onnx/reach.js'
import { type BaseInspection, TRIAL_SIDE } from './engine.js'
import { loadError } from './onnxruntime-errors.js'
import { loadOnnxruntime, type Onnxruntime } from './onnxruntime-library.js'
import { sessionOptions } from './onnxruntime-session.js'

/** Two, so that an axis of one that is no batch axis is not taken for one. */
const SAMPLES = 2
/** Values of the input of one inspection, and of any tensor in it: 2 GiB of float32. */
const MAX_VALUES = 2 ** 29
/** Tensors whose shapes only a run can tell, fetched at a time so that memory stays bounded. */
const FETCHED_AT_ONCE = 16

const FLOAT_TYPES = new Set(['float32', 'float16', 'float64'])

interface Output {
  readonly name: string
  readonly isFloat: boolean
  /** Null where onnxruntime cannot say before it has computed it. */
  readonly shape: readonly number[] | null
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

type Level = 'disabled' | 'basic'

const open = (ort: Onnxruntime, model: OnnxModel, graphOptimizationLevel: Level) =>
  ort.InferenceSession.create(serialiseOnnxModel(model), {
    ...sessionOptions({ kind: 'cpu', index: 0 }, 1),
    graphOptimizationLevel,
  })

const assertBounded = (name: string, shape: readonly number[]): void => {
  if (product(shape) > MAX_VALUES)
    throw new HeadstartError('BASE_TOO_LARGE', `${name} has the shape [${shape.join(', ')}]`)
}

/**
 * Types and shapes of tensors, inferred. At the level `disabled` nothing is computed, not even
 * constants; at `basic` shapes that depend on constants are known, too.
 *
 * @throws BASE_TOO_LARGE
 */
const inferOutputs = async (
  ort: Onnxruntime,
  model: OnnxModel,
  names: readonly string[],
  level: Level,
): Promise<Output[]> => {
  const session = await open(ort, keepOutputs(model, names), level)
  try {
    const outputs: Output[] = []
    for (const output of session.outputMetadata) {
      if (!output.isTensor) continue
      const { name, type } = output
      const sizes = output.shape.filter((size) => typeof size === 'number')
      const known = sizes.length === output.shape.length
      if (known) assertBounded(name, sizes)
      outputs.push({ name, isFloat: FLOAT_TYPES.has(type), shape: known ? sizes : null })
    }
    return outputs
  } finally {
    await session.release()
  }
}

/** Shapes of outputs for an input of zeros. */
const runForShapes = async (
  ort: Onnxruntime,
  model: OnnxModel,
  names: readonly string[],
  inputShape: readonly number[],
): Promise<Map<string, readonly number[]>> => {
  const session = await open(ort, keepOutputs(model, names), 'basic')
  try {
    const zeros = new ort.Tensor('float32', new Float32Array(product(inputShape)), inputShape)
    const found = await session.run({ [PREPARED_INPUT]: zeros })
    return new Map(Object.entries(found).map(([name, { dims }]) => [name, dims]))
  } finally {
    await session.release()
  }
}

/** What was seen at one size of the input says nothing of the spatial axes at another. */
const withoutSpatial = (shape: readonly number[], channelsFirst: boolean): (number | null)[] => {
  const channels = channelAxis(shape.length, channelsFirst)
  return shape.map((size, axis) => (axis === channels ? size : null))
}

/** A model that takes float32 rows of one size, and that size. */
interface Sized {
  readonly model: OnnxModel
  readonly inputShape: readonly number[]
}

const sizedModel = (whole: OnnxModel, input: GraphInput): Sized => {
  const batch = input.batch ?? SAMPLES
  const sizes = input.shape.map((size) => size ?? TRIAL_SIDE)
  assertBounded(input.name, [batch, ...sizes])
  const model = takeRows(onlyInput(whole, input), { ...input, batch }, sizes)
  return { model, inputShape: [batch, ...sizes] }
}

/** Shapes of float tensors that depend on the input, inferred where that is possible. */
const shapesOf = async (
  ort: Onnxruntime,
  { model, inputShape }: Sized,
  reached: readonly Reached[],
): Promise<Map<string, readonly number[]>> => {
  const everything = model.graph.node.flatMap(({ output }) => output.filter((name) => name !== ''))
  const names = new Set(reached.map(({ name }) => name))
  // First without computing anything: a file of a few bytes can ask for constants of any size.
  let outputs = await inferOutputs(ort, model, everything, 'disabled')
  if (outputs.some(({ shape }) => shape === null))
    outputs = await inferOutputs(ort, model, everything, 'basic')
  const floats = outputs.filter(({ name, isFloat }) => isFloat && names.has(name))
  const shapes = new Map<string, readonly number[]>()
  const unknown: string[] = []
  for (const { name, shape } of floats)
    if (shape === null) unknown.push(name)
    else shapes.set(name, shape)
  // The outputs of the base are computed in any case: that it loads does not say that it runs.
  const groups = [model.graph.output.map(({ name }) => name).filter((name) => names.has(name))]
  for (let i = 0; i < unknown.length; i += FETCHED_AT_ONCE)
    groups.push(unknown.slice(i, i + FETCHED_AT_ONCE))
  for (const group of groups) {
    if (group.length === 0) continue
    const seen = await runForShapes(ort, model, group, inputShape)
    for (const { name } of floats) shapes.set(name, seen.get(name) ?? shapes.get(name) ?? [])
  }
  return shapes
}

const inspect = async (ort: Onnxruntime, base: OnnxBase): Promise<BaseInspection> => {
  const whole = parseOnnxModel(base.model)
  const parameters = assertOnnxModel(whole)
  const input = graphInputOf(whole)
  const reached = outputsFedBy(whole, input.name)
  if (reached.length === 0)
    throw new HeadstartError('BASE_INVALID', 'nothing in the base depends on its input')
  const sized = sizedModel(whole, input)
  const shapes = await shapesOf(ort, sized, reached)
  const anySize = input.shape.includes(null)
  const channelsFirst = base.origin === 'file' && imageLayout(input.shape) === 'channels-first'
  const cuts: CutPoint[] = []
  for (const { name, opType } of reached) {
    const [samples, ...shape] = shapes.get(name) ?? []
    if (samples !== sized.inputShape[0] || shape.length === 0 || shape.includes(0)) continue
    const recorded = anySize && shape.length > 1 ? withoutSpatial(shape, channelsFirst) : shape
    cuts.push({ path: name, className: opType, shape: recorded })
  }
  return { inputShape: input.shape, cuts, parameters }
}

/** @throws BASE_INVALID, BASE_LAYER_UNKNOWN, BASE_TOO_LARGE, BASE_WEIGHTS_INVALID, ENGINE_UNAVAILABLE. */
export const inspectOnnxBase = async (base: OnnxBase): Promise<BaseInspection> => {
  const ort = await loadOnnxruntime()
  try {
    return await inspect(ort, base)
  } catch (error) {
    throw loadError(error)
  }
}
