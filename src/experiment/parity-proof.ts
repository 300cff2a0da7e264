// Owns proving once that serving computes the features that heads are trained on.
import type { EngineSettings } from '../extractor/engine-settings.js'
import { checkParity } from '../model/parity.js'
import type { Parity } from '../model/run-record.js'
import type { Store } from '../store/port.js'
import { createExtractorOpener, type ViewFeatures } from './extraction.js'
import type { KeptFeatures } from './feature-keeper.js'
import type { LocatedDataset } from './references.js'

export interface ProofRequest {
  readonly store: Store
  readonly engines: EngineSettings
  readonly opened: LocatedDataset
  /** View 0, and the features that were opened with it. */
  readonly plain: ViewFeatures
  readonly features: KeptFeatures
  readonly signal: AbortSignal | undefined
}

/** @throws PARITY_FAILED, INTERRUPTED, and the errors of reading and computing samples. */
const prove = async ({
  store,
  engines,
  opened: { dataset, reader },
  plain: { spec },
  features,
  signal,
}: ProofRequest): Promise<Parity> => {
  const extractor = await createExtractorOpener(store, engines)(spec)
  try {
    return await checkParity({ extractor, features, dataset, reader, signal })
  } finally {
    await extractor.close()
  }
}

/** Proves when it is asked for first; a proof that failed is tried anew by the next who asks. */
export const createProof = (): ((request: ProofRequest) => Promise<Parity>) => {
  let proof: Promise<Parity> | undefined
  return (request) => {
    proof ??= prove(request).catch((error: unknown) => {
      proof = undefined
      throw error
    })
    return proof
  }
}
