// Owns what extractions that other processes ran come to for the request that waited for them.

import { HeadstartError } from '../../errors.js'
import type { ExperimentResult } from '../../experiment/result.js'
import type { ExtractionHandle, ExtractionJobResult, Service } from '../../queue/types.js'

/** Jobs that had ended before they were asked for: for this request, nothing was computed. */
export const findEndedBefore = async (
  service: Service,
  ids: readonly string[],
  askedMs: number,
): Promise<ReadonlySet<string>> => {
  const jobs = await Promise.all(ids.map((id) => service.getJob(id)))
  const ended = jobs.filter((job) => job?.finishedAt && Date.parse(job.finishedAt) < askedMs)
  return new Set(ended.map((job) => job?.id ?? ''))
}

export interface ExtractedView extends Omit<ExtractionJobResult, 'kind' | 'seconds'> {
  readonly jobId: string
}

/** One a view, in the order of the handle. */
export const viewsOf = (
  { ids }: ExtractionHandle,
  results: readonly ExtractionJobResult[],
  endedBefore: ReadonlySet<string>,
): ExtractedView[] =>
  results.map(({ kind: _, seconds: __, ...view }, i) => {
    const jobId = ids[i] ?? ''
    return endedBefore.has(jobId)
      ? { ...view, jobId, computed: 0, reused: view.samples }
      : { ...view, jobId }
  })

/** The views together, as an experiment reports them. */
export const totalOf = (views: readonly ExtractedView[]): ExperimentResult['featureSet'] => {
  const [plain] = views
  if (plain === undefined) throw new HeadstartError('JOB_LOST', 'the extraction has no result')
  return {
    id: plain.featureSetId,
    samples: plain.samples,
    computed: views.reduce((sum, { computed }) => sum + computed, 0),
    reused: views.reduce((sum, { reused }) => sum + reused, 0),
    quarantined: plain.quarantined,
  }
}
