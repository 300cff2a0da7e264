// Owns which form of a base an engine is given: as it was registered, or compiled to ONNX.
import type { Store } from '../../store/port.js'
import { loadCompiledBase } from '../compile/load.js'
import { type ExtractorSpec, isTfjsFormat } from '../spec.js'
import { loadBase } from './load.js'
import type { LoadedBase } from './loaded-base.js'

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
  engine === 'onnxruntime' && isTfjsFormat(base.format)
    ? loadCompiledBase(store, base.id)
    : loadBase(store, base.id)
