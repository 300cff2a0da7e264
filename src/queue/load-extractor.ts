// Owns reading an extractor spec by its id.
import { HeadstartError } from '../errors.js'
import {
  type ExtractorSpec,
  extractorIdOfSpec,
  extractorKey,
  extractorSpecSchema,
} from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'
import { getJson } from '../store/json.js'
import type { Store } from '../store/port.js'

/** @throws NOT_FOUND; STORE_CORRUPT when the stored spec does not give the id. */
export const loadExtractorSpec = async (store: Store, id: Sha256): Promise<ExtractorSpec> => {
  const spec = await getJson(store, extractorKey(id), extractorSpecSchema)
  if (spec === null) throw new HeadstartError('NOT_FOUND', `the store has no extractor ${id}`)
  if (extractorIdOfSpec(spec) !== id)
    throw new HeadstartError('STORE_CORRUPT', `the extractor ${id} has another spec`)
  return spec
}
