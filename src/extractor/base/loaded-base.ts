// Owns what a base is in memory, one type a format.
import type { Sha256 } from '../../identity/hash.js'
import type { ModelJson, WeightSpec } from './model-json.js'

/** A TF.js model in memory. Weights lie in shared memory; nobody writes to them. */
export interface TfjsBase {
  readonly baseId: Sha256
  readonly format: ModelJson['format']
  readonly topology: unknown
  readonly signature: unknown
  readonly weightSpecs: readonly WeightSpec[]
  readonly weights: Uint8Array<SharedArrayBuffer>
}

/** One ONNX file in memory, data of external files included. Nobody writes to it. */
export interface OnnxBase {
  readonly baseId: Sha256
  readonly format: 'onnx'
  /**
   * `compiled`: made of a TF.js base. Its tensors are named by the cuts of that base and have TF.js's
   * order of axes. `file`: registered as it is; images and cuts have the axes that the file has.
   */
  readonly origin: 'file' | 'compiled'
  readonly model: Uint8Array<SharedArrayBuffer>
}

/** The files of a SavedModel by relative path. Native code: who may load one is decided elsewhere. */
export interface SavedModelBase {
  readonly baseId: Sha256
  readonly format: 'saved-model'
  readonly files: ReadonlyMap<string, Uint8Array<SharedArrayBuffer>>
}

export type LoadedBase = TfjsBase | OnnxBase | SavedModelBase
