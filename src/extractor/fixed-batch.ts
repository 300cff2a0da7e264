// Owns which engines need batches of one size for equal bits.
import type { EngineName } from './spec.js'

/**
 * libtensorflow and GPUs pick their kernels by the batch size, so their batches always have this size.
 * wasm computes each sample alone, onnxruntime on a CPU gives the same bits in any batch of two or more
 * and pads a lone sample to two; on a GPU it pads to GPU_BATCH by itself.
 */
export const FIXED_BATCH: Readonly<Record<EngineName, number | null>> = {
  wasm: null,
  tensorflow: 16,
  onnxruntime: null,
  webgpu: 16,
}

/** Kernels of GPUs are chosen by the batch size, so that each batch of onnxruntime has this one there. */
export const GPU_BATCH = 32

/**
 * Samples in a batch where the spec does not fix them. Memory of a wasm thread grows with its batch,
 * its rate hardly does.
 */
const FREE_BATCH: Readonly<Record<EngineName, number>> = {
  wasm: 8,
  tensorflow: 16,
  onnxruntime: 16,
  webgpu: 16,
}

/** Samples that an engine should be given at a time. */
export const batchSizeOf = (engine: EngineName, fixed: number | null, gpu: boolean): number =>
  fixed ?? (gpu && engine === 'onnxruntime' ? GPU_BATCH : FREE_BATCH[engine])
