// Owns how batches go through a TF.js model: pixels normalised, fixed batches padded, pooled, tensors
// created and disposed within one run. Data is read outside of any tidy. Knows no format of a base.
import type { Tensor } from '@tensorflow/tfjs-core'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { createNormalise } from '../normalise.js'
import {
  cutsOfRequest,
  type Engine,
  type EngineCut,
  type EngineInput,
  type EngineOutput,
  type EngineRequest,
} from './engine.js'
import { joinOutputs } from './join-outputs.js'
import type { Tfjs } from './tfjs.js'

/** A loaded and cut base. */
export interface Forward {
  /** From a batch of inputs to the output at each cut, within a tidy; the caller disposes the results. */
  run(x: Tensor): Tensor[]
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
  request: EngineRequest,
  forward: Forward,
): Engine => {
  const { fixedBatch, input } = request
  const cuts = cutsOfRequest(request)
  const pools = cuts.map(({ pooling }) => poolOf(tf, pooling))
  const inputShape = input.kind === 'image' ? [...input.size, 3] : input.shape
  const normalise = input.kind === 'image' ? createNormalise(input) : null
  const inputWidth = inputShape.reduce((a, b) => a * b, 1)

  /** @param rows of the batch that ran; the first `count` are answered. */
  const read = async ({ cut }: EngineCut, output: Tensor, rows: number, count: number) => {
    if (output.dtype !== 'float32' || output.shape[0] !== rows)
      throw new HeadstartError(
        'CUT_UNUSABLE',
        `${cut} gives ${output.dtype} [${output.shape}]; float32 [${rows}, ...] is needed`,
      )
    const data = (await output.data()) as Float32Array
    return { values: data.slice(0, (data.length / rows) * count), shape: output.shape.slice(1) }
  }

  const runBatch = async (values: Float32Array, count: number): Promise<EngineOutput> => {
    const rows = fixedBatch ?? count
    let padded = values
    if (rows > count) {
      padded = new Float32Array(rows * inputWidth)
      padded.set(values)
    }
    const tensors = tf.core.tidy(() => {
      const found = forward.run(tf.core.tensor(padded, [rows, ...inputShape]))
      return pools.map((pool, i) => pool(found[i] as Tensor))
    })
    try {
      const outputs: EngineOutput[] = []
      for (const [i, tensor] of tensors.entries())
        outputs.push(await read(cuts[i] as EngineCut, tensor, rows, count))
      return joinOutputs(outputs, count)
    } finally {
      tf.core.dispose(tensors)
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
