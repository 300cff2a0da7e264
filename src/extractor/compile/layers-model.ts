// Owns the compiler from a TF.js LayersModel to ONNX.
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import type { CompiledGraph } from './compiled-graph.js'

/** @throws BASE_LAYER_UNKNOWN when nothing of the base can be compiled. */
export const compileLayersModel = async (_model: LayersModel): Promise<CompiledGraph> => {
  throw new HeadstartError('BASE_LAYER_UNKNOWN', 'not built yet')
}
