// Owns the compiler from a TF.js GraphModel to ONNX.
import { HeadstartError } from '../../errors.js'
import type { TfjsBase } from '../base/loaded-base.js'
import type { CompiledGraph } from './compiled-graph.js'

/** @throws BASE_LAYER_UNKNOWN when nothing of the base can be compiled. */
export const compileGraphModel = async (_base: TfjsBase): Promise<CompiledGraph> => {
  throw new HeadstartError('BASE_LAYER_UNKNOWN', 'not built yet')
}
