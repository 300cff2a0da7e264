// Owns the record of a registered base and loading its bytes back, checked against its id.
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'
import { sha256Schema } from '../../features/shard.js'
import { canonicalJson, type JsonValue } from '../../identity/canonical-json.js'
import { type Sha256, sha256 } from '../../identity/hash.js'
import { getJson } from '../../store/json.js'
import type { Store, StoreKey } from '../../store/port.js'
import { BASE_FORMATS } from '../spec.js'
import { type ModelJson, parseModelJson, type WeightSpec } from './model-json.js'
import { MODEL_JSON } from './read-source.js'
import { joinWeights } from './weights.js'

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

/** A base in memory. Weights lie in shared memory; nobody writes to them. */
export interface LoadedBase {
  readonly baseId: Sha256
  readonly format: ModelJson['format']
  readonly topology: unknown
  readonly signature: unknown
  readonly weightSpecs: readonly WeightSpec[]
  readonly weights: Uint8Array<SharedArrayBuffer>
}

export const baseRecordKey = (baseId: Sha256): StoreKey => `bases/${baseId}/base.json`
/** Files lie under their own hash, so that two registrations of one base never collide. */
export const baseFileKey = (baseId: Sha256, fileSha256: Sha256): StoreKey =>
  `bases/${baseId}/${fileSha256}`

/**
 * @returns null when no such base is registered.
 * @throws STORE_CORRUPT when its record cannot be read.
 */
export const loadBaseRecord = (store: Store, baseId: Sha256): Promise<BaseRecord | null> =>
  getJson(store, baseRecordKey(baseId), baseRecordSchema)

/**
 * Puts a base together from its files; its id covers the canonical topology and the weight bytes.
 *
 * @throws BASE_INVALID, BASE_WEIGHTS_INVALID.
 */
export const assembleBase = (
  model: ModelJson,
  files: ReadonlyMap<string, Uint8Array>,
): LoadedBase => {
  const weights = joinWeights(model, files)
  const weightSpecs = model.groups.flatMap((group) => group.weights)
  const { format, topology, signature } = model
  const described = { format, topology, signature: signature ?? null, weightSpecs }
  try {
    const baseId = sha256(canonicalJson(described as unknown as JsonValue), '\n', weights)
    return { baseId, format, topology, signature, weightSpecs, weights }
  } catch (error) {
    throw new HeadstartError('BASE_INVALID', 'model.json holds no plain JSON', { cause: error })
  }
}

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
  const base = assembleBase(parseModelJson(files.get(MODEL_JSON) ?? new Uint8Array(0)), files)
  if (base.baseId !== baseId)
    throw new HeadstartError('STORE_CORRUPT', `the files of base ${baseId} make ${base.baseId}`)
  return base
}
