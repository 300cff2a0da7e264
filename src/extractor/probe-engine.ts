// Owns whether an engine runs on this machine: found out once a process, because libraries and devices
// do not come and go while it lives.
import { messageOf } from '../errors.js'
import type { EngineInfo } from '../features/shard.js'
import type { EngineSettings } from './engine-settings.js'
import { probeEngineInThread } from './engines/pool.js'
import { findTensorflowPackage, tensorflowMissing } from './engines/tensorflow-package.js'
import { areWebgpuPackagesInstalled } from './engines/webgpu-packages.js'
import type { EngineName } from './spec.js'

export interface EngineReport {
  readonly engine: EngineName
  readonly info: EngineInfo | null
  /** Why it does not run; null when it does. */
  readonly problem: string | null
}

/** Whether the packages of an engine are there; whether it runs is found out by a probe. */
export const isEngineInstalled = (engine: EngineName, settings: EngineSettings): boolean => {
  if (engine === 'tensorflow') return findTensorflowPackage(settings) !== null
  return engine !== 'webgpu' || areWebgpuPackagesInstalled()
}

const probe = async (engine: EngineName, settings: EngineSettings): Promise<EngineReport> => {
  // No thread is needed to learn that a package is not there.
  if (engine === 'tensorflow' && !isEngineInstalled(engine, settings))
    return { engine, info: null, problem: tensorflowMissing(settings).message }
  try {
    return { engine, info: await probeEngineInThread(engine, settings), problem: null }
  } catch (error) {
    return { engine, info: null, problem: messageOf(error) }
  }
}

const probed = new Map<string, Promise<EngineReport>>()

/** Never throws: that an engine does not run is an answer. */
export const probeEngineOnce = (
  engine: EngineName,
  settings: EngineSettings,
): Promise<EngineReport> => {
  const key = JSON.stringify([engine, settings.device, settings.tensorflowFolder])
  const known = probed.get(key) ?? probe(engine, settings)
  probed.set(key, known)
  return known
}
