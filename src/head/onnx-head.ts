// Owns a published head as an ONNX graph of its own: features in, outputs out. Compiled by the compiler
// of bases, so a layer means the same in both. Refuses layers that it does not know.
import type { SymbolicTensor } from '@tensorflow/tfjs-layers'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { compileLayersModel } from '../extractor/compile/layers-model.js'
import { cutTensorOf, walkLayers } from '../extractor/engines/tfjs-cut.js'
import { modelFromArtifacts } from './artifacts.js'
import { ensureHeadBackend } from './backend.js'
import type { HeadArtifacts } from './types.js'

export interface CompiledHead {
  /** An ONNX file whose input is `input`, float32 [batch, ...inputShape]. */
  readonly bytes: Uint8Array
  /** The tensor that holds the outputs, float32 [batch, outputs]. */
  readonly output: string
  readonly inputShape: readonly number[]
  readonly outputs: number
}

const impossible = (why: string): HeadstartError =>
  new HeadstartError('EXPORT_IMPOSSIBLE', `the head cannot be written as ONNX: ${why}`)

const compile = async (model: Parameters<typeof compileLayersModel>[0]) => {
  try {
    return await compileLayersModel(model)
  } catch (error) {
    if (isHeadstartError(error, 'BASE_LAYER_UNKNOWN'))
      throw impossible(error.message.replace('the base', 'it'))
    throw error
  }
}

/**
 * Leaves no tensor behind.
 *
 * @throws EXPORT_IMPOSSIBLE when a layer of the head has no counterpart; STORE_CORRUPT, HEAD_INVALID.
 */
export const compileHead = async (artifacts: HeadArtifacts): Promise<CompiledHead> => {
  await ensureHeadBackend()
  const { model, dispose } = await modelFromArtifacts(artifacts)
  try {
    const [input, output] = [model.inputs[0], model.outputs[0]] as SymbolicTensor[]
    const { bytes, cuts, unsupported } = await compile(model)
    const last = [...walkLayers(model)].find(
      (found) => found.chain.length === 1 && cutTensorOf(found)?.id === output?.id,
    )
    if (last === undefined || !cuts.includes(last.path)) {
      const names = unsupported.map(({ path, className }) => `${path} (${className})`)
      throw impossible(`${names.join(', ') || 'its last layer'} has no counterpart`)
    }
    return {
      bytes,
      output: last.path,
      inputShape: input?.shape.slice(1) as number[],
      outputs: Number(output?.shape.at(-1)),
    }
  } finally {
    dispose()
  }
}
