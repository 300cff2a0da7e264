// Owns a graph as onnxruntime's optimiser leaves it. It gives that to a file only: a folder that only
// this user may enter holds it for a moment.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { type OnnxModel, parseOnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import type { Onnxruntime } from './onnxruntime-library.js'

/**
 * The nodes that a session with these options runs, for this processor: another one may lack them.
 *
 * @throws what onnxruntime throws for a graph that it cannot load, and faults of the disk.
 */
export const optimiseGraph = async (
  ort: Onnxruntime,
  model: OnnxModel,
  options: InferenceSession.SessionOptions,
): Promise<OnnxModel> => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-optimised-'))
  const optimizedModelFilePath = join(folder, 'graph.onnx')
  try {
    const session = await ort.InferenceSession.create(serialiseOnnxModel(model), {
      ...options,
      optimizedModelFilePath,
    })
    await session.release()
    return parseOnnxModel(await readFile(optimizedModelFilePath))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
