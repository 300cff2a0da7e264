// Owns what a node of a GraphModel gives while it is compiled: a tensor of the ONNX graph, a weight that
// is written when it is used, or whole numbers that are known now (shapes, axes).
import type { TensorValue } from '../tensor-value.js'
import type { Dimension } from './dimension.js'

/** A float32 tensor of the ONNX graph. */
export interface Computed {
  readonly kind: 'computed'
  /** In TF.js's order of axes. */
  readonly dims: readonly Dimension[]
  readonly tensor: TensorValue
  /** What it is where it is a tensor with zeros around it: for poolings, whose maximum may be such a zero. */
  readonly padded?: { readonly from: TensorValue; readonly pads: readonly number[] }
}

/** A float32 weight of the base. */
export interface Constant {
  readonly kind: 'constant'
  readonly name: string
  readonly dims: readonly Dimension[]
  readonly shape: readonly number[]
  /** Decodes the weight anew; nobody keeps all of them. */
  readonly data: () => Float32Array
}

/** An int32 tensor whose values are known, sizes of the input included. */
export interface Integers {
  readonly kind: 'integers'
  readonly shape: readonly number[]
  readonly values: readonly Dimension[]
}

/** There, but of a type that nothing here computes with. */
export interface Opaque {
  readonly kind: 'opaque'
}

export type Float = Computed | Constant
export type Value = Float | Integers | Opaque

/** The one value of a weight that is a number, or null. */
export const numberOf = (value: Value | undefined): number | null =>
  value?.kind === 'constant' && value.shape.every((size) => size === 1)
    ? (value.data()[0] ?? null)
    : null

export const isFloat = (value: Value): value is Float =>
  value.kind === 'computed' || value.kind === 'constant'

export const isIntegers = (value: Value): value is Integers => value.kind === 'integers'
