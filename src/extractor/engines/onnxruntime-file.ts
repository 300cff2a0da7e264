// Owns running an ONNX file exactly as it is, the way anyone would who was given it: on the processor,
// nothing cut, renamed or folded. Serves nobody: whoever wrote the file compares it with the extractor.

import { loadOnnxruntime } from './onnxruntime-library.js'
import { sessionOptions } from './onnxruntime-session.js'

export interface OpenedOnnxFile {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /**
   * @param values [rows, ...shape] row-major, of the only input; borrowed.
   * @returns the values of the first output, row-major.
   */
  run(values: Float32Array, shape: readonly number[]): Promise<Float32Array>
  close(): Promise<void>
}

/**
 * Opens a file by its path. Close it.
 *
 * @throws ENGINE_UNAVAILABLE where onnxruntime does not load, and what onnxruntime throws.
 */
export const openOnnxFile = async (path: string): Promise<OpenedOnnxFile> => {
  const ort = await loadOnnxruntime()
  const session = await ort.InferenceSession.create(
    path,
    sessionOptions({ kind: 'cpu', index: 0 }, 1),
  )
  const { inputNames, outputNames } = session
  return {
    inputs: inputNames,
    outputs: outputNames,
    run: async (values, shape) => {
      const input = new ort.Tensor('float32', values, [...shape])
      const found = await session.run({ [inputNames[0] ?? '']: input })
      const output = found[outputNames[0] ?? '']
      if (!(output?.data instanceof Float32Array))
        throw new Error(`the output is ${output?.type ?? 'missing'}, not float32`)
      return output.data
    },
    close: () => session.release(),
  }
}
