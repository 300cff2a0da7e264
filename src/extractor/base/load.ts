// Owns the record of a registered base and loading its bytes back, checked against its id.
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'
import { sha256Schema } from '../../features/shard.js'
import type { Sha256 } from '../../identity/hash.js'
import { getJson } from '../../store/json.js'
import type { Store, StoreKey } from '../../store/port.js'
import { BASE_FORMATS } from '../spec.js'
import { assembleBase } from './assemble.js'
import { baseFileKey } from './file-key.js'
import type { LoadedBase, TfjsBase } from './loaded-base.js'

const dimension = z.int().nonnegative().nullable()

export const cutPointSchema = z.strictObject({
  /** Layer name; inside nested models `outer/inner`. */
  path: z.string(),
  /** Class of the layer or operation. */
  className: z.string(),
  /** Output shape without the batch axis; null where it depends on the input. */
  shape: z.array(dimension),
})
export type CutPoint = z.infer<typeof cutPointSchema>

export const baseRecordSchema = z.strictObject({
  version: z.literal(1),
  baseId: sha256Schema,
  format: z.enum(BASE_FORMATS),
  parameters: z.int().nonnegative(),
  /** Input shape without the batch axis. */
  inputShape: z.array(dimension),
  cuts: z.array(cutPointSchema),
  files: z.array(
    z.strictObject({ path: z.string(), bytes: z.int().nonnegative(), sha256: sha256Schema }),
  ),
})
export type BaseRecord = z.infer<typeof baseRecordSchema>

export const baseRecordKey = (baseId: Sha256): StoreKey => `bases/${baseId}/base.json`

/**
 * @returns null when no such base is registered.
 * @throws STORE_CORRUPT when its record cannot be read.
 */
export const loadBaseRecord = (store: Store, baseId: Sha256): Promise<BaseRecord | null> =>
  getJson(store, baseRecordKey(baseId), baseRecordSchema)

/**
 * @throws NOT_FOUND when it is not registered, STORE_CORRUPT when its bytes are not those of its id.
 */
export const loadBase = async (store: Store, baseId: Sha256): Promise<LoadedBase> => {
  const record = await loadBaseRecord(store, baseId)
  if (record === null) throw new HeadstartError('NOT_FOUND', `no base ${baseId} is registered`)
  const files = new Map<string, Uint8Array>()
  for (const file of record.files) {
    const bytes = await store.get(baseFileKey(baseId, file.sha256))
    if (bytes === null)
      throw new HeadstartError('STORE_CORRUPT', `the base ${baseId} misses its file ${file.path}`)
    files.set(file.path, bytes)
  }
  const base = assembleBase(record.format, files)
  if (base.baseId !== baseId)
    throw new HeadstartError('STORE_CORRUPT', `the files of base ${baseId} make ${base.baseId}`)
  return base
}

/** @throws BASE_INVALID when it is no TF.js base, and the errors of loadBase. */
export const loadTfjsBase = async (store: Store, baseId: Sha256): Promise<TfjsBase> => {
  const base = await loadBase(store, baseId)
  if (base.format === 'onnx' || base.format === 'saved-model')
    throw new HeadstartError('BASE_INVALID', `the base ${baseId} is no TF.js model`)
  return base
}
