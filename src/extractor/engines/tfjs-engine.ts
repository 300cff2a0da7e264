// Owns the forward pass on TF.js: predict mode only, fixed batches padded where asked, tensors
// created and disposed within one run. Data is read outside of any tidy.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { TfjsBase } from '../base/loaded-base.js'
import { createNormalise } from '../normalise.js'
import type { BaseInspection, Engine, EngineInput, EngineRequest } from './engine.js'
import { loadTfjsModel, type Tfjs, type TfjsModel, translateError } from './tfjs.js'
import { cutLayersModel, listLayerCuts } from './tfjs-cut.js'
import { assertGraphCut, listGraphCuts } from './tfjs-graph.js'

/** From a batch of inputs to the output at the cut; the caller disposes the result. */
const forwardOf = (tf: Tfjs, loaded: TfjsModel, cut: string): ((x: Tensor) => Tensor) => {
  if (loaded.format === 'graph-model') {
    const { model } = loaded
    assertGraphCut(model, cut)
    const input = model.inputs[0]?.name ?? ''
    return (x) => model.execute({ [input]: x }, cut) as Tensor
  }
  const model = cutLayersModel(tf, loaded.model, cut)
  return (x) => model.predictOnBatch(x) as Tensor
}

const poolOf =
  (tf: Tfjs, pooling: EngineRequest['pooling']) =>
  (x: Tensor): Tensor => {
    const spatial = Array.from({ length: x.rank - 2 }, (_, i) => i + 1)
    if (pooling === 'none' || spatial.length === 0) return x
    return pooling === 'avg' ? tf.core.mean(x, spatial) : tf.core.max(x, spatial)
  }

/** @throws BASE_INVALID, BASE_LAYER_UNKNOWN, CUT_NOT_FOUND, CUT_UNUSABLE. */
export const createTfjsEngine = async (
  tf: Tfjs,
  info: EngineInfo,
  request: EngineRequest,
  base: TfjsBase,
): Promise<Engine> => {
  const loaded = await loadTfjsModel(tf, base)
  let forward: (x: Tensor) => Tensor
  try {
    forward = forwardOf(tf, loaded, request.cut)
  } catch (error) {
    loaded.model.dispose()
    throw error
  }
  const pool = poolOf(tf, request.pooling)
  const { fixedBatch, input } = request
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
    const output = tf.core.tidy(() => pool(forward(tf.core.tensor(padded, [rows, ...inputShape]))))
    try {
      if (output.dtype !== 'float32' || output.shape[0] !== rows)
        throw new HeadstartError(
          'CUT_UNUSABLE',
          `${request.cut} gives ${output.dtype} [${output.shape}]; float32 [${rows}, ...] is needed`,
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
    close: () => loaded.model.dispose(),
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

type Inspected = Omit<BaseInspection, 'parameters'>

const inspectLayers = (model: LayersModel): Inspected => {
  if (model.inputs.length !== 1)
    throw new HeadstartError('BASE_INVALID', `the base has ${model.inputs.length} inputs, not one`)
  return { inputShape: model.inputs[0]?.shape.slice(1) ?? [], cuts: listLayerCuts(model) }
}

const parametersOf = ({ weightSpecs }: TfjsBase): number =>
  weightSpecs.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)

/** Input shape and cuts of a base; nothing stays allocated. */
export const inspectTfjsBase = async (tf: Tfjs, base: TfjsBase): Promise<BaseInspection> => {
  const loaded = await loadTfjsModel(tf, base)
  try {
    const inspected =
      loaded.format === 'layers-model'
        ? inspectLayers(loaded.model)
        : await listGraphCuts(tf, loaded.model)
    return { ...inspected, parameters: parametersOf(base) }
  } catch (error) {
    throw translateError(error)
  } finally {
    loaded.model.dispose()
  }
}
