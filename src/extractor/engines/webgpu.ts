// Owns the webgpu engine: TF.js on Dawn.
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { EngineSettings } from '../engine-settings.js'
import type { Tfjs } from './tfjs.js'

/** @throws ENGINE_UNAVAILABLE */
export const openWebgpu = async (
  _settings: EngineSettings,
): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  throw new HeadstartError('ENGINE_UNAVAILABLE', 'webgpu is not built yet')
}
