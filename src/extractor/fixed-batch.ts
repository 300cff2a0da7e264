// Owns which engines need batches of one size for equal bits.
import type { EngineName } from './spec.js'

/**
 * libtensorflow and GPUs pick their kernels by the batch size, so their batches always have this size.
 * wasm and onnxruntime compute each sample alone on a CPU: their bits are the same in any batch.
 * (On a GPU the engine onnxruntime pads by itself.)
 */
export const FIXED_BATCH: Readonly<Record<EngineName, number | null>> = {
  wasm: null,
  tensorflow: 16,
  onnxruntime: null,
  webgpu: 16,
}
