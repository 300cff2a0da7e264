// Owns the onnxruntime engine: pixels or rows in, float32 features out.
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { OnnxBase } from '../base/loaded-base.js'
import type { Device } from '../device.js'
import type { EngineSettings } from '../engine-settings.js'
import { PREPARED_INPUT } from '../onnx/border.js'
import { GRAPH_VERSION } from '../onnx/graph-version.js'
import {
  cutsOfRequest,
  type Engine,
  type EngineInput,
  type EngineOutput,
  type EngineRequest,
} from './engine.js'
import { joinOutputs } from './join-outputs.js'
import { atLeastTwo, inBatchesOf, type Runner } from './onnxruntime-batches.js'
import { nameOf, resolveDevice } from './onnxruntime-device.js'
import { loadError, runError, unavailable } from './onnxruntime-errors.js'
import { loadOnnxruntime, type Onnxruntime, versionOf } from './onnxruntime-library.js'
import { openSessions, type Sessions } from './onnxruntime-sessions.js'

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

const tensorOf = (
  ort: Onnxruntime,
  { input }: EngineRequest,
  given: EngineInput,
  rows: number,
): Tensor => {
  if (given instanceof Uint8Array && input.kind === 'image')
    return new ort.Tensor('uint8', given, [rows, ...input.size, 3])
  if (given instanceof Float32Array && input.kind === 'tensor')
    return new ort.Tensor('float32', given, [rows, ...input.shape])
  throw new HeadstartError(
    'EXTRACTOR_INPUT_MISMATCH',
    `the base takes ${input.kind === 'image' ? 'pixels' : 'rows'}, and was given the other`,
  )
}

/** One call of each session. The input is used where it lies, not copied. */
const runnerOf = (ort: Onnxruntime, sessions: Sessions, request: EngineRequest): Runner => {
  const cuts = cutsOfRequest(request)
  return async (given, rows) => {
    const feeds = { [PREPARED_INPUT]: tensorOf(ort, request, given, rows) }
    const found = new Map<InferenceSession, InferenceSession.OnnxValueMapType>()
    for (const session of sessions.sessions) found.set(session, await session.run(feeds))
    const outputs = sessions.reads.map(({ session, output: name }, i): EngineOutput => {
      const output = found.get(session)?.[name]
      if (output === undefined || !(output.data instanceof Float32Array) || output.dims[0] !== rows)
        throw new HeadstartError(
          'CUT_UNUSABLE',
          `${cuts[i]?.cut} gives ${output?.type ?? 'nothing'} [${output?.dims.join(', ') ?? ''}] for ${rows} samples; float32 [${rows}, ...] is needed`,
        )
      return { values: output.data, shape: output.dims.slice(1) }
    })
    return joinOutputs(outputs, rows)
  }
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
  let sessions: Sessions
  try {
    sessions = await openSessions(ort, request, base, device)
  } catch (error) {
    throw loadError(error)
  }
  const once = runnerOf(ort, sessions, request)
  const { batch } = sessions
  const run = batch === null ? atLeastTwo(once) : inBatchesOf(batch, once)
  return {
    info: infoOf(ort, device),
    tensorCount: () => 0,
    close: () => {
      for (const session of sessions.sessions) session.release().catch(() => undefined)
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
