// Owns the WebAssembly kernels of the optimizers: loading them and calling them over memory of a group.
// The formulas are those of optimizer.ts; kernel.wat is the source.
import { KERNEL_BASE64 } from './kernel-bytes.js'

/** What is used of WebAssembly, which Node has and its types lack. */
declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

/** Where things lie, in bytes from the start of the memory. */
export interface StepArrays {
  readonly weights: number
  readonly gradients: number
  readonly m: number
  /** adam only. */
  readonly v: number
  readonly rows: number
  readonly columns: number
}

/** One number a column of the arrays, or four equal ones for all columns. */
export interface StepVectors {
  /** adam: learning rate with the correction of the moments' bias; sgd: learning rate. */
  readonly rate: number
  /** 2 * l2. */
  readonly l2: number
  /** 1 - learning rate * weight decay. */
  readonly keep: number
  /** sgd only. */
  readonly momentum: number
  readonly oneForAll: boolean
}

interface Exports {
  adam(...pointers: number[]): void
  sgd(...pointers: number[]): void
}

export interface Kernel {
  readonly buffer: ArrayBuffer
  /** @param epsilon 1e-8 times the root of the correction of the second moment. */
  adam(arrays: StepArrays, vectors: StepVectors, epsilon: number): void
  sgd(arrays: StepArrays, vectors: StepVectors): void
}

const PAGE_BYTES = 65_536
const VECTOR_BYTES = 16

let compiled: object | undefined

/** Kernels over a memory of their own, all zeros; it is freed with the last reference to it. */
export const createKernel = (bytes: number): Kernel => {
  compiled ??= new WebAssembly.Module(Buffer.from(KERNEL_BASE64, 'base64'))
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) })
  const instance = new WebAssembly.Instance(compiled, { env: { memory } })
  const { adam, sgd } = instance.exports as Exports
  const advanceOf = ({ oneForAll }: StepVectors) => (oneForAll ? 0 : VECTOR_BYTES)
  return {
    buffer: memory.buffer,
    adam: ({ weights, gradients, m, v, rows, columns }, vectors, epsilon) => {
      const { rate, l2, keep } = vectors
      const advance = advanceOf(vectors)
      adam(weights, gradients, m, v, rate, l2, keep, advance, rows, columns, epsilon)
    },
    sgd: ({ weights, gradients, m, rows, columns }, vectors) => {
      const { rate, l2, keep, momentum } = vectors
      sgd(weights, gradients, m, rate, l2, keep, momentum, advanceOf(vectors), rows, columns)
    },
  }
}
