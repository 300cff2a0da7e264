// Owns what the operator of a machine decides about engines. No part of any identity, never from a request.
import type { DeviceRequest } from './device.js'

export interface EngineSettings {
  readonly device: DeviceRequest
  /** Folder of a tfjs-node that was built for this machine; null: the installed package. */
  readonly tensorflowFolder: string | null
  /** SavedModels are native code, so they run only where the operator says so. */
  readonly allowSavedModels: boolean
}

export const DEFAULT_ENGINE_SETTINGS: EngineSettings = {
  device: 'auto',
  tensorflowFolder: null,
  allowSavedModels: false,
}
