// Owns loading onnxruntime into a thread, quiet: what it has to say comes as errors.
import type * as onnxruntime from 'onnxruntime-node'
import { unavailable } from './onnxruntime-errors.js'

export type Onnxruntime = typeof onnxruntime

let loaded: Promise<Onnxruntime> | undefined

const load = async (): Promise<Onnxruntime> => {
  try {
    const ort = (await import('onnxruntime-node')).default as Onnxruntime
    // Read once, when the first session of the process is made.
    ort.env.logLevel = 'fatal'
    return ort
  } catch (error) {
    throw unavailable(
      `onnxruntime-node does not load on ${process.platform} ${process.arch}`,
      error,
    )
  }
}

/** @throws ENGINE_UNAVAILABLE */
export const loadOnnxruntime = (): Promise<Onnxruntime> => {
  loaded ??= load()
  return loaded
}

export const versionOf = (ort: Onnxruntime): string => `onnxruntime ${ort.env.versions.node ?? ''}`
