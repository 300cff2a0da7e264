// Owns what a compiler gives: one ONNX file whose tensors are named by the cuts of the base.
import type { Unsupported } from './record.js'

/**
 * The file takes one input, `input`: float32 in TF.js's order of axes, batch first. For each cut it
 * has a tensor named exactly like the cut's path, float32, in TF.js's order of axes; graph outputs are
 * the outputs of the base. Whoever runs it edits the outputs to the cut and drops what is not needed.
 */
export interface CompiledGraph {
  readonly bytes: Uint8Array
  readonly cuts: readonly string[]
  /** Layers or operations without a counterpart; nothing that depends on them is in `cuts`. */
  readonly unsupported: readonly Unsupported[]
}

export const COMPILED_INPUT = 'input'
