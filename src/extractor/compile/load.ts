// Owns loading the compiled form of a base, checked against its record.
import { HeadstartError } from '../../errors.js'
import { type Sha256, sha256 } from '../../identity/hash.js'
import type { Store } from '../../store/port.js'
import { baseFileKey } from '../base/file-key.js'
import type { OnnxBase } from '../base/loaded-base.js'
import { sharedCopy } from '../base/shared-copy.js'
import { loadCompiledRecord } from './record.js'

/** A compiled file as engine threads share it. */
export const onnxBaseOf = (baseId: Sha256, bytes: Uint8Array): OnnxBase => ({
  baseId,
  format: 'onnx',
  origin: 'compiled',
  model: sharedCopy(bytes),
})

/** @throws BASE_NOT_COMPILED, STORE_CORRUPT. */
export const loadCompiledBase = async (store: Store, baseId: Sha256): Promise<OnnxBase> => {
  const record = await loadCompiledRecord(store, baseId)
  if (record?.file == null)
    throw new HeadstartError(
      'BASE_NOT_COMPILED',
      `the base ${baseId} has no compiled form: ${record?.problem ?? 'it was registered before there was one'}`,
    )
  const bytes = await store.get(baseFileKey(baseId, record.file.sha256))
  if (bytes === null || sha256(bytes) !== record.file.sha256)
    throw new HeadstartError('STORE_CORRUPT', `the compiled form of base ${baseId} is damaged`)
  return onnxBaseOf(baseId, bytes)
}
