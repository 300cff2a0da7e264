// Owns a SavedModel base: which files belong to it, in which order its id covers them.
import { canonicalJson } from '../../identity/canonical-json.js'
import { sha256 } from '../../identity/hash.js'
import type { SavedModelBase } from './loaded-base.js'
import { sharedCopy } from './shared-copy.js'

export const SAVED_MODEL_PB = 'saved_model.pb'

export const assembleSavedModel = (files: ReadonlyMap<string, Uint8Array>): SavedModelBase => {
  const paths = [...files.keys()].sort()
  const described = paths.map((path) => ({ path, sha256: sha256(files.get(path) as Uint8Array) }))
  return {
    baseId: sha256(canonicalJson({ format: 'saved-model', files: described })),
    format: 'saved-model',
    files: new Map(paths.map((path) => [path, sharedCopy(files.get(path) as Uint8Array)])),
  }
}
