// Owns how batches go through a TF.js model: pixels normalised, fixed batches padded, pooled, tensors
// created and disposed within one run. Data is read outside of any tidy. Knows no format of a base.
import type { Tensor } from '@tensorflow/tfjs-core'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { createNormalise } from '../normalise.js'
import type { Engine, EngineInput, EngineRequest } from './engine.js'
import type { Tfjs } from './tfjs.js'

/** A loaded and cut base. */
export interface Forward {
  /** From a batch of inputs to the output at the cut, within a tidy; the caller disposes the result. */
  run(x: Tensor): Tensor
  close(): void
}

const poolOf =
  (tf: Tfjs, pooling: EngineRequest['pooling']) =>
  (x: Tensor): Tensor => {
    const spatial = Array.from({ length: x.rank - 2 }, (_, i) => i + 1)
    if (pooling === 'none' || spatial.length === 0) return x
    return pooling === 'avg' ? tf.core.mean(x, spatial) : tf.core.max(x, spatial)
  }

/** @throws ENGINE_UNAVAILABLE: TF.js computes in float32. */
export const assertFullPrecision = ({ engine, precision }: EngineRequest): void => {
  if (precision !== 'fp32')
    throw new HeadstartError('ENGINE_UNAVAILABLE', `the engine ${engine} has no ${precision}`)
}

/** The engine of a loaded base; closing it closes the base. */
export const createBatchEngine = (
  { tf, info }: { readonly tf: Tfjs; readonly info: EngineInfo },
  { cut, pooling, fixedBatch, input }: EngineRequest,
  forward: Forward,
): Engine => {
  const pool = poolOf(tf, pooling)
  const inputShape = input.kind === 'image' ? [...input.size, 3] : input.shape
  const normalise = input.kind === 'image' ? createNormalise(input) : null
  const inputWidth = inputShape.reduce((a, b) => a * b, 1)

  const runBatch = async (values: Float32Array, count: number) => {
    const rows = fixedBatch ?? count
    let padded = values
    if (rows > count) {
      padded = new Float32Array(rows * inputWidth)
      padded.set(values)
    }
    const output = tf.core.tidy(() =>
      pool(forward.run(tf.core.tensor(padded, [rows, ...inputShape]))),
    )
    try {
      if (output.dtype !== 'float32' || output.shape[0] !== rows)
        throw new HeadstartError(
          'CUT_UNUSABLE',
          `${cut} gives ${output.dtype} [${output.shape}]; float32 [${rows}, ...] is needed`,
        )
      const data = (await output.data()) as Float32Array
      const shape = output.shape.slice(1)
      return { values: data.slice(0, (data.length / rows) * count), shape }
    } finally {
      output.dispose()
    }
  }

  return {
    info,
    tensorCount: () => tf.core.memory().numTensors,
    close: () => forward.close(),
    run: async (given: EngineInput, count) => {
      const values = given instanceof Float32Array ? given : normalise?.(given)
      if (values === undefined)
        throw new HeadstartError('EXTRACTOR_INPUT_MISMATCH', 'pixels for a base that takes rows')
      const step = fixedBatch ?? count
      if (count <= step) return runBatch(values, count)
      const parts = []
      for (let start = 0; start < count; start += step) {
        const end = Math.min(start + step, count)
        parts.push(
          await runBatch(values.subarray(start * inputWidth, end * inputWidth), end - start),
        )
      }
      const width = (parts[0]?.values.length ?? 0) / step
      const joined = new Float32Array(width * count)
      parts.forEach((part, i) => {
        joined.set(part.values, i * step * width)
      })
      return { values: joined, shape: parts[0]?.shape ?? [] }
    },
  }
}
