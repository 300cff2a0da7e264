// Owns what a layer's compiler is given: its inputs in the graph, its settings and weights, and the
// builder that it writes to. Settings are checked here, because they come from a stranger's model.json.
import type { Layer } from '../../engines/tfjs-cut.js'
import type { GraphBuilder } from '../../onnx/graph-builder.js'
import type { Layouts, Shape, TensorValue } from '../tensor-value.js'

/** Thrown where a known class has settings that ONNX, or this compiler, cannot honour. */
export class UnsupportedSetting extends Error {}

export interface Weight {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** One use of a layer. A shared layer has several; its constants are written once. */
export interface LayerCall {
  readonly builder: GraphBuilder
  readonly layouts: Layouts
  readonly inputs: readonly TensorValue[]
  /** What TF.js says that the layer gives. */
  readonly outputShape: Shape
  readonly settings: Settings
  /** By the last part of its name (`kernel`); undefined when the layer has none such. Borrowed. */
  weight(name: string): Weight | undefined
  /** The name of a constant, made when this layer asks for `key` the first time. */
  once(key: string, make: (hint: string) => string): string
}

export type CompileLayer = (call: LayerCall) => TensorValue

export interface Settings {
  number(key: string): number
  string(key: string): string
  flag(key: string): boolean
  numbers(key: string): number[]
  raw(key: string): unknown
}

const refuse = (key: string, value: unknown): never => {
  throw new UnsupportedSetting(`${key} ${JSON.stringify(value) ?? 'missing'}`)
}

/** What the layer itself says it is, defaults filled in; its fields where it does not say. */
export const settingsOf = (layer: Layer): Settings => {
  const config: Readonly<Record<string, unknown>> = layer.getConfig()
  const fields = layer as unknown as Readonly<Record<string, unknown>>
  const raw = (key: string): unknown => (key in config ? config[key] : fields[key])
  const check =
    <T>(is: (value: unknown) => value is T) =>
    (key: string): T => {
      const value = raw(key)
      return is(value) ? value : refuse(key, value)
    }
  const isNumber = (value: unknown): value is number =>
    typeof value === 'number' && Number.isFinite(value)
  return {
    raw,
    number: check(isNumber),
    string: check((value) => typeof value === 'string'),
    flag: check((value) => typeof value === 'boolean'),
    numbers: check((value): value is number[] => Array.isArray(value) && value.every(isNumber)),
  }
}

/** @throws UnsupportedSetting unless the setting is absent or has this value. */
export const requireSetting = (settings: Settings, key: string, wanted: unknown): void => {
  const value = settings.raw(key)
  if (value != null && JSON.stringify(value) !== JSON.stringify(wanted)) refuse(key, value)
}

/** The only input of a layer that takes one. */
export const inputOf = ({ inputs }: LayerCall): TensorValue => {
  const [input, ...others] = inputs
  if (input === undefined || others.length > 0)
    throw new UnsupportedSetting(`${inputs.length} inputs`)
  return input
}

/** @throws UnsupportedSetting when the layer lacks the weight. */
export const weightOf = (call: LayerCall, name: string): Weight => {
  const weight = call.weight(name)
  if (weight === undefined) throw new UnsupportedSetting(`no weight ${name}`)
  return weight
}
