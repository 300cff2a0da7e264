// Owns the onnxruntime engine: one session a thread, pixels or rows in, float32 features out.
import type { InferenceSession } from 'onnxruntime-node'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { OnnxBase } from '../base/loaded-base.js'
import type { Device } from '../device.js'
import type { EngineSettings } from '../engine-settings.js'
import { GPU_BATCH } from '../fixed-batch.js'
import { PREPARED_INPUT, PREPARED_OUTPUT } from '../onnx/border.js'
import { GRAPH_VERSION } from '../onnx/graph-version.js'
import { type OnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import { prepareGraph } from '../onnx/prepare.js'
import type { Engine, EngineRequest } from './engine.js'
import { atLeastTwo, inBatchesOf, type Runner } from './onnxruntime-batches.js'
import { nameOf, resolveDevice } from './onnxruntime-device.js'
import { loadError, runError, unavailable } from './onnxruntime-errors.js'
import { loadOnnxruntime, type Onnxruntime, versionOf } from './onnxruntime-library.js'
import { sessionOptions } from './onnxruntime-session.js'

export { inspectOnnxBase } from './onnxruntime-inspect.js'

const infoOf = (ort: Onnxruntime, device: Device): EngineInfo => ({
  engine: 'onnxruntime',
  version: `${versionOf(ort)}, graph ${GRAPH_VERSION}`,
  device: nameOf(device),
})

/** @throws ENGINE_UNAVAILABLE */
export const probeOnnxruntime = async (settings: EngineSettings): Promise<EngineInfo> => {
  const ort = await loadOnnxruntime()
  return infoOf(ort, await resolveDevice(ort, settings.device))
}

/** Axes of the only output, as onnxruntime infers them. */
const rankOf = async (ort: Onnxruntime, model: OnnxModel): Promise<number> => {
  const session = await ort.InferenceSession.create(serialiseOnnxModel(model), {
    ...sessionOptions({ kind: 'cpu', index: 0 }, 1),
    graphOptimizationLevel: 'disabled',
  })
  try {
    const [output] = session.outputMetadata
    return output?.isTensor === true ? output.shape.length : 0
  } finally {
    await session.release()
  }
}

/** One call of the session. The input is used where it lies, not copied. */
const runnerOf =
  (ort: Onnxruntime, session: InferenceSession, request: EngineRequest): Runner =>
  async (given, rows) => {
    const { input, cut } = request
    const tensor =
      given instanceof Uint8Array && input.kind === 'image'
        ? new ort.Tensor('uint8', given, [rows, ...input.size, 3])
        : given instanceof Float32Array && input.kind === 'tensor'
          ? new ort.Tensor('float32', given, [rows, ...input.shape])
          : null
    if (tensor === null)
      throw new HeadstartError(
        'EXTRACTOR_INPUT_MISMATCH',
        `the base takes ${input.kind === 'image' ? 'pixels' : 'rows'}, and was given the other`,
      )
    const output = (await session.run({ [PREPARED_INPUT]: tensor }))[PREPARED_OUTPUT]
    if (output === undefined || !(output.data instanceof Float32Array) || output.dims[0] !== rows)
      throw new HeadstartError(
        'CUT_UNUSABLE',
        `${cut} gives ${output?.type ?? 'nothing'} [${output?.dims.join(', ') ?? ''}] for ${rows} samples; float32 [${rows}, ...] is needed`,
      )
    return { values: output.data, shape: output.dims.slice(1) }
  }

/**
 * @throws ENGINE_UNAVAILABLE, CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH, BASE_INVALID,
 *   BASE_LAYER_UNKNOWN.
 */
export const openOnnxruntime = async (request: EngineRequest, base: OnnxBase): Promise<Engine> => {
  const ort = await loadOnnxruntime()
  const device = await resolveDevice(ort, request.settings.device)
  if (request.precision === 'fp16' && device.kind === 'cpu')
    throw unavailable('fp16 needs a GPU: onnxruntime computes in float32 on a CPU')
  let session: InferenceSession
  let batch: number | null
  try {
    const prepared = await prepareGraph(base, request, {
      rankOf: (model) => rankOf(ort, model),
      batch: request.fixedBatch ?? (device.kind === 'cpu' ? null : GPU_BATCH),
    })
    batch = prepared.batch
    session = await ort.InferenceSession.create(
      serialiseOnnxModel(prepared.model),
      sessionOptions(device, request.intraThreads, base.origin),
    )
  } catch (error) {
    throw loadError(error)
  }
  const once = runnerOf(ort, session, request)
  const run = batch === null ? atLeastTwo(once) : inBatchesOf(batch, once)
  return {
    info: infoOf(ort, device),
    tensorCount: () => 0,
    close: () => {
      session.release().catch(() => undefined)
    },
    run: async (input, count) => {
      try {
        return await run(input, count)
      } catch (error) {
        throw runError(error)
      }
    },
  }
}
