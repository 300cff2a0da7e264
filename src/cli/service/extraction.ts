// Owns `extract` through a service: the same result as in this process.
import { HeadstartError } from '../../errors.js'
import type { ExtractOnlyResult } from '../../experiment/extract-only.js'
import type { ExtractionRequest } from '../../experiment/schema.js'
import type { ExtractionHandle } from '../../queue/types.js'
import type { Context } from '../context.js'
import type { ChosenService } from './choose.js'
import { followJobs } from './follow.js'
import { loadQuarantined, type Quarantined } from './quarantine.js'
import { type ExtractedView, findEndedBefore, viewsOf } from './totals.js'

const enqueue = (
  { signal, folder, progress: { events } }: Context,
  { service }: ChosenService,
  extraction: ExtractionRequest,
): Promise<ExtractionHandle> => service.enqueueExtraction(extraction, { folder, signal, events })

/** What `--detach` prints; one a view. */
export interface EnqueuedExtraction {
  readonly jobs: readonly string[]
  readonly featureSets: readonly string[]
}

export const enqueueExtraction = async (
  context: Context,
  chosen: ChosenService,
  extraction: ExtractionRequest,
): Promise<EnqueuedExtraction> => {
  const { ids, featureSetIds } = await enqueue(context, chosen, extraction)
  return { jobs: ids, featureSets: featureSetIds }
}

type FeatureSetResult = ExtractOnlyResult['featureSets'][number]

const assertFewQuarantined = (
  { samples, quarantined: count }: ExtractedView,
  quarantined: readonly Quarantined[],
  maxQuarantine: number,
): void => {
  if (count <= maxQuarantine * samples) return
  throw new HeadstartError(
    'DATASET_QUARANTINE_EXCEEDED',
    `${count} of ${samples} samples are in quarantine; maxQuarantine allows ${(100 * maxQuarantine).toFixed(1)} %`,
    { details: quarantined.map(({ name, reason }) => `${name}: ${reason}`) },
  )
}

/** @throws the error of the job that failed; INTERRUPTED, while the jobs go on. */
export const extractThroughService = async (
  context: Context,
  chosen: ChosenService,
  extraction: ExtractionRequest,
): Promise<ExtractOnlyResult> => {
  const askedMs = Date.now()
  const handle = await enqueue(context, chosen, extraction)
  const { ids } = handle
  const endedBefore = await findEndedBefore(chosen.service, ids, askedMs)
  const results = await followJobs(context, chosen.service, { handles: [handle], ids }, (signal) =>
    handle.finished({ signal }),
  )
  const featureSets: FeatureSetResult[] = []
  for (const view of viewsOf(handle, results, endedBefore)) {
    const { featureSetId: id, extractorId, samples, computed, reused } = view
    const quarantined = await loadQuarantined(context, chosen, view)
    assertFewQuarantined(view, quarantined, extraction.maxQuarantine)
    featureSets.push({ id, extractorId, samples, computed, reused, quarantined })
  }
  return { featureSets, seconds: (Date.now() - askedMs) / 1000 }
}
