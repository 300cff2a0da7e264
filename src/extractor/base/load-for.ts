// Owns which form of a base an engine is given: as it was registered, or compiled to ONNX.
import type { Store } from '../../store/port.js'
import { loadCompiledBase } from '../compile/load.js'
import type { ExtractorSpec } from '../spec.js'
import { loadBase } from './load.js'
import type { LoadedBase } from './loaded-base.js'

const isTfjs = (format: ExtractorSpec['base']['format']): boolean =>
  format === 'layers-model' || format === 'graph-model'

/**
 * The base of an extractor, in the form that its engine computes.
 *
 * @throws NOT_FOUND, STORE_CORRUPT; BASE_NOT_COMPILED where onnxruntime needs a compiled form that
 *   there is not.
 */
export const loadBaseFor = (
  store: Store,
  { base, engine }: Pick<ExtractorSpec, 'base' | 'engine'>,
): Promise<LoadedBase> =>
  engine === 'onnxruntime' && isTfjs(base.format)
    ? loadCompiledBase(store, base.id)
    : loadBase(store, base.id)
