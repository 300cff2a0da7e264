// Owns which sessions compute the cuts of a request: one for a single cut; one for all cuts on a CPU,
// where what they share is computed once; elsewhere one a cut, run one after another.
import type { InferenceSession } from 'onnxruntime-node'
import type { OnnxBase } from '../base/loaded-base.js'
import type { Device } from '../device.js'
import { GPU_BATCH } from '../fixed-batch.js'
import { PREPARED_OUTPUT } from '../onnx/border.js'
import { type OnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import { type PreparedGraph, prepareGraph } from '../onnx/prepare.js'
import { shareGraphs } from '../onnx/share-graphs.js'
import { cutsOfRequest, type EngineRequest } from './engine.js'
import type { Onnxruntime } from './onnxruntime-library.js'
import { optimiseGraph } from './onnxruntime-optimise.js'
import { sessionOptions } from './onnxruntime-session.js'

export interface Sessions {
  readonly sessions: readonly InferenceSession[]
  /** For each cut the session and the name of its output. */
  readonly reads: readonly { readonly session: InferenceSession; readonly output: string }[]
  /** Samples in every run; null: any number. */
  readonly batch: number | null
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

type Options = InferenceSession.SessionOptions

/**
 * Each graph is optimised by itself, then the graphs are merged and run as they are. Optimised as one
 * graph, a tensor that is read would not be fused with what follows it (a normalisation into its
 * convolution, an addition into the sum of a convolution), and cuts behind it would have other bits.
 *
 * @returns null where the graphs cannot be merged.
 */
const openShared = async (
  ort: Onnxruntime,
  prepared: readonly PreparedGraph[],
  options: Options,
): Promise<Omit<Sessions, 'batch'> | null> => {
  const optimised: OnnxModel[] = []
  for (const { model } of prepared) optimised.push(await optimiseGraph(ort, model, options))
  const shared = shareGraphs(optimised)
  if (shared === null) return null
  const session = await ort.InferenceSession.create(serialiseOnnxModel(shared.model), {
    ...options,
    graphOptimizationLevel: 'disabled',
  })
  return { sessions: [session], reads: shared.outputs.map((output) => ({ session, output })) }
}

const openEach = async (
  ort: Onnxruntime,
  prepared: readonly PreparedGraph[],
  options: Options,
): Promise<Omit<Sessions, 'batch'>> => {
  const sessions: InferenceSession[] = []
  try {
    for (const { model } of prepared)
      sessions.push(await ort.InferenceSession.create(serialiseOnnxModel(model), options))
  } catch (error) {
    for (const session of sessions) await session.release()
    throw error
  }
  return { sessions, reads: sessions.map((session) => ({ session, output: PREPARED_OUTPUT })) }
}

/** @throws CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH, BASE_INVALID, and what onnxruntime throws. */
export const openSessions = async (
  ort: Onnxruntime,
  request: EngineRequest,
  base: OnnxBase,
  device: Device,
): Promise<Sessions> => {
  const prepared: PreparedGraph[] = []
  for (const cut of cutsOfRequest(request))
    prepared.push(
      await prepareGraph(
        base,
        { ...request, ...cut },
        {
          rankOf: (model) => rankOf(ort, model),
          batch: request.fixedBatch ?? (device.kind === 'cpu' ? null : GPU_BATCH),
        },
      ),
    )
  const options = sessionOptions(device, request.intraThreads, base.origin)
  const mayShare = prepared.length > 1 && device.kind === 'cpu'
  const shared = mayShare ? await openShared(ort, prepared, options) : null
  const opened = shared ?? (await openEach(ort, prepared, options))
  // The same for all cuts: it is that of the input.
  return { ...opened, batch: prepared[0]?.batch ?? null }
}
