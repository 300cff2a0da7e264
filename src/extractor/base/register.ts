// Owns registering a base: its exact bytes go into the store, the record is written last.
import { assertNotAborted, HeadstartError, isHeadstartError } from '../../errors.js'
import { canonicalJson } from '../../identity/canonical-json.js'
import { sha256 } from '../../identity/hash.js'
import type { Store } from '../../store/port.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../engine-settings.js'
import { inspectBaseInThread } from '../engines/pool.js'
import { assembleBase } from './assemble.js'
import { baseFileKey } from './file-key.js'
import { type BaseRecord, baseRecordKey, loadBaseRecord } from './load.js'
import { type AllowUrl, readBaseSource } from './read-source.js'

export interface RegisterOptions {
  readonly settings?: EngineSettings
  readonly signal?: AbortSignal | undefined
  readonly allowUrl?: AllowUrl
}

/**
 * Registers the base at a folder, a model.json or an http(s) URL. Registering it again is free.
 *
 * @throws the errors of readBaseSource, and BASE_LAYER_UNKNOWN or BASE_INVALID when TF.js cannot
 *   load it. Nothing is written then.
 */
export const registerBase = async (
  store: Store,
  from: string,
  options: RegisterOptions = {},
): Promise<BaseRecord> => {
  const { signal, settings = DEFAULT_ENGINE_SETTINGS } = options
  const { format, files } = await readBaseSource(from, options)
  const base = assembleBase(format, files)
  const existing = await loadBaseRecord(store, base.baseId)
  if (existing !== null) return existing
  const { inputShape, cuts, parameters } = await inspectBaseInThread(base, settings)
  if (cuts.length === 0) throw new HeadstartError('BASE_INVALID', 'the base has nothing to cut')
  assertNotAborted(signal)
  const described = []
  for (const [path, bytes] of files) {
    const hash = sha256(bytes)
    await store.putIfAbsent(baseFileKey(base.baseId, hash), bytes)
    described.push({ path, bytes: bytes.length, sha256: hash })
  }
  const record: BaseRecord = {
    version: 1,
    baseId: base.baseId,
    format: base.format,
    parameters,
    inputShape: [...inputShape],
    cuts: [...cuts],
    files: described,
  }
  try {
    await store.putIfAbsent(baseRecordKey(base.baseId), Buffer.from(canonicalJson(record)))
    return record
  } catch (error) {
    // Somebody registered the same base from files that are cut differently: theirs is as good.
    const faster = isHeadstartError(error, 'STORE_CONFLICT')
      ? await loadBaseRecord(store, base.baseId)
      : null
    if (faster === null) throw error
    return faster
  }
}
