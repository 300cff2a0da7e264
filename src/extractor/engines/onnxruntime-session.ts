// Owns sessions of onnxruntime: their options, and the smallest graph that shows whether a device works.
import type { InferenceSession } from 'onnxruntime-node'
import type { OnnxBase } from '../base/loaded-base.js'
import type { Device } from '../device.js'
import { serialiseOnnxModel } from '../onnx/model.js'
import { PROBE_INPUT, PROBE_SIDE, probeModel } from '../onnx/probe-model.js'
import type { Onnxruntime } from './onnxruntime-library.js'

type Options = InferenceSession.SessionOptions

/** One provider: with a second one in the list, what the first cannot do would go there in silence. */
const providerOf = ({ kind, index }: Device): NonNullable<Options['executionProviders']> =>
  kind === 'cuda' || kind === 'tensorrt' ? [{ name: kind, deviceId: index }] : [kind]

/** Fatal only: onnxruntime logs what it throws as well. */
const QUIET = 4

/**
 * onnxruntime 1.30 makes zeros that are padded before a MaxPool into padding of the pooling, which is
 * minus infinity. Compiled bases avoid the pattern and keep the gain for convolutions.
 */
const WRONG_FOR_FILES = { disable_specified_optimizers: 'Pad_Fusion' }

export const sessionOptions = (
  device: Device,
  intraThreads: number,
  origin: OnnxBase['origin'] = 'file',
): Options => ({
  executionProviders: providerOf(device),
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  interOpNumThreads: 1,
  intraOpNumThreads: intraThreads,
  logSeverityLevel: QUIET,
  // Threads that spin between two operations take the cores from the decoders.
  extra: {
    session: { intra_op: { allow_spinning: '0' } },
    ...(origin === 'file' ? { optimization: WRONG_FOR_FILES } : {}),
  },
})

/** Fails unless the device itself computes it: small operations may go to the CPU elsewhere, not here. */
export const openProbeSession = async (ort: Onnxruntime, device: Device): Promise<void> => {
  const session = await ort.InferenceSession.create(serialiseOnnxModel(probeModel()), {
    ...sessionOptions(device, 1),
    extra: { session: { disable_cpu_ep_fallback: '1' } },
  })
  try {
    const values = new Float32Array(PROBE_SIDE * PROBE_SIDE).fill(1)
    await session.run({
      [PROBE_INPUT]: new ort.Tensor('float32', values, [PROBE_SIDE, PROBE_SIDE]),
    })
  } finally {
    await session.release()
  }
}
