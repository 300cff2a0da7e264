// Owns onnxruntime for the fused trainer: whether it runs here, sessions of our graphs, tensors over memory
// of ours. A step computes in the calling thread, so nothing can stop a process in the middle of one;
// a worker thread that trains must be ended by its abort signal, never by `terminate`.
import { availableParallelism } from 'node:os'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { runError } from '../../extractor/engines/onnxruntime-errors.js'
import { loadOnnxruntime } from '../../extractor/engines/onnxruntime-library.js'
import { sessionOptions } from '../../extractor/engines/onnxruntime-session.js'

export type FloatTensor = Tensor

/** A tensor over `values`, which stay the caller's: what a session writes into it is written there. */
export type MakeTensor = (values: Float32Array, dims: readonly number[]) => FloatTensor

export interface FusedSession {
  /** Computes `outputs` from `inputs`, in place. @throws ENGINE_FAILED */
  run(
    inputs: Readonly<Record<string, FloatTensor>>,
    outputs: Readonly<Record<string, FloatTensor>>,
  ): Promise<void>
  /** One output in memory of its own; what `run` computes in place is copied once more. */
  compute(inputs: Readonly<Record<string, FloatTensor>>, output: string): Promise<Float32Array>
  /** Frees what the session holds; call it once. */
  close(): Promise<void>
}

export interface FusedRuntime {
  readonly tensor: MakeTensor
  /** @throws ENGINE_FAILED */
  open(graph: Uint8Array): Promise<FusedSession>
}

/** The cores that this process may use. */
export const coresHere = (): number => Math.max(1, availableParallelism())

/** @param threads of a product. @throws ENGINE_UNAVAILABLE */
export const openFusedRuntime = async (threads = coresHere()): Promise<FusedRuntime> => {
  const ort = await loadOnnxruntime()
  const device = { kind: 'cpu', index: 0 } as const
  // Between the products of a step there is little else to do: threads that wait awake save waking them.
  const options: InferenceSession.SessionOptions = {
    ...sessionOptions(device, threads, 'compiled'),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }
  return {
    tensor: (values, dims) => new ort.Tensor('float32', values, dims),
    open: async (graph) => {
      const session = await ort.InferenceSession.create(graph, options).catch((error: unknown) => {
        throw runError(error)
      })
      const failed = (error: unknown): never => {
        throw runError(error)
      }
      return {
        run: async (inputs, outputs) => {
          await session.run(inputs, outputs).catch(failed)
        },
        compute: async (inputs, output) => {
          const results = await session.run(inputs, [output]).catch(failed)
          return results[output]?.data as Float32Array
        },
        close: () => session.release(),
      }
    },
  }
}

/** Whether heads can be trained together here: onnxruntime loads. */
export const isFusedAvailable = (): Promise<boolean> =>
  loadOnnxruntime().then(
    () => true,
    () => false,
  )
