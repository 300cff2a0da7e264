// Owns what every TF.js engine shares: loading a base into tensors. The backend is chosen elsewhere.
import type * as converter from '@tensorflow/tfjs-converter'
import type * as core from '@tensorflow/tfjs-core'
import type * as layers from '@tensorflow/tfjs-layers'
import { HeadstartError, messageOf } from '../../errors.js'
import { toKeras2Topology } from '../base/keras3.js'
import { toKeras2Weights } from '../base/keras3-weights.js'
import type { TfjsBase } from '../base/loaded-base.js'

/** One TF.js: tfjs-node re-exports its own, which need not be the one next to this file. */
export interface Tfjs {
  readonly core: typeof core
  readonly layers: Pick<typeof layers, 'loadLayersModel' | 'model'>
  readonly converter: Pick<typeof converter, 'loadGraphModel'>
}

export type TfjsModel =
  | { readonly format: 'layers-model'; readonly model: layers.LayersModel }
  | { readonly format: 'graph-model'; readonly model: converter.GraphModel }

/** What TF.js throws for a base that it cannot load or run, as an error of ours. */
export const translateError = (error: unknown): HeadstartError => {
  if (error instanceof HeadstartError) return error
  const message = messageOf(error)
  return /unknown layer|unknown op|not supported/i.test(message)
    ? new HeadstartError('BASE_LAYER_UNKNOWN', message.split('. ', 1)[0] ?? message, {
        cause: error,
      })
    : new HeadstartError('BASE_INVALID', `TF.js cannot load the base: ${message}`, { cause: error })
}

/** Decoding copies each weight out of the bytes, so sharing them between threads is safe. */
const weightsOf = (base: TfjsBase) => {
  const given = { specs: base.weightSpecs, bytes: base.weights }
  const { specs, bytes } =
    base.format === 'layers-model' ? toKeras2Weights(base.topology, given) : given
  const isWhole = bytes.byteLength === bytes.buffer.byteLength
  return {
    weightSpecs: specs as core.io.WeightsManifestEntry[],
    weightData: (isWhole ? bytes : new Uint8Array(bytes)).buffer as unknown as ArrayBuffer,
  }
}

/**
 * Loads a base. The caller disposes the model.
 *
 * @throws BASE_LAYER_UNKNOWN, BASE_INVALID.
 */
export const loadTfjsModel = async (tf: Tfjs, base: TfjsBase): Promise<TfjsModel> => {
  try {
    const { weightSpecs, weightData } = weightsOf(base)
    if (base.format === 'layers-model') {
      const modelTopology = toKeras2Topology(base.topology) as core.io.ModelJSON['modelTopology']
      const handler = tf.core.io.fromMemory({ modelTopology, weightSpecs, weightData })
      return { format: base.format, model: await tf.layers.loadLayersModel(handler) }
    }
    const artifacts: core.io.ModelArtifacts = {
      format: 'graph-model',
      modelTopology: base.topology as core.io.ModelJSON['modelTopology'],
      weightSpecs,
      weightData,
      ...(base.signature === undefined ? {} : { signature: base.signature as object }),
    }
    const handler = tf.core.io.fromMemory(artifacts)
    return { format: base.format, model: await tf.converter.loadGraphModel(handler) }
  } catch (error) {
    throw translateError(error)
  }
}
