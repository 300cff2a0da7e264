// Owns SavedModel bases on the engine tensorflow.
import { HeadstartError } from '../../errors.js'
import type { SavedModelBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'

export const openSavedModel = async (
  _request: EngineRequest,
  _base: SavedModelBase,
): Promise<Engine> => {
  throw new HeadstartError('ENGINE_UNAVAILABLE', 'SavedModel is not built yet')
}

export const inspectSavedModel = async (
  _base: SavedModelBase,
  _settings: EngineSettings,
): Promise<BaseInspection> => {
  throw new HeadstartError('ENGINE_UNAVAILABLE', 'SavedModel is not built yet')
}
