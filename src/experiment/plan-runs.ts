// Owns which runs a sweep comes to, and which of its heads are trained in one pass over the features. Pure.
import type { JsonValue } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { runKeyOf } from '../identity/ids.js'
import { leftOutOf } from './feature-keeper.js'
import type { SweepCandidate } from './sweep/plan-sweep.js'
import type { PlannedHead } from './sweep-types.js'

export interface PlannedRun extends SweepCandidate {
  readonly runId: Sha256
}

/**
 * Every head once, with the run that it comes to: cuts that come to the same features give the same runs.
 *
 * @param featureSetIds one list a cut of the experiment: one id a view, view 0 first.
 */
export const planRuns = (request: {
  readonly candidates: readonly SweepCandidate[]
  readonly featureSetIds: readonly (readonly Sha256[])[]
  readonly datasetId: Sha256
  readonly seed: number
}): PlannedRun[] => {
  const planned = new Map<Sha256, PlannedRun>()
  for (const candidate of request.candidates) {
    const runId = runKeyOf({
      featureSetIds: request.featureSetIds[candidate.cut]?.slice(0, candidate.views) ?? [],
      datasetId: request.datasetId,
      head: candidate.head as unknown as JsonValue,
      seed: request.seed,
    })
    if (!planned.has(runId)) planned.set(runId, { ...candidate, runId })
  }
  return [...planned.values()]
}

/** The samples that the views of a head leave out, as text. */
const quarantineOf = ({ features, views }: PlannedHead): string =>
  leftOutOf(features.views.slice(0, views).map(({ featureSet }) => featureSet))

/**
 * Heads that train in one pass. Heads of fewer views join those of more, unless a view that they do
 * not read leaves a sample out: each trains on the samples that it would train on alone.
 */
export const passesOf = (planned: readonly PlannedHead[]): readonly PlannedHead[][] => {
  const passes = new Map<PlannedHead['features'], Map<string, PlannedHead[]>>()
  for (const one of planned) {
    const ofCut = passes.get(one.features) ?? new Map<string, PlannedHead[]>()
    passes.set(one.features, ofCut)
    const left = quarantineOf(one)
    ofCut.set(left, [...(ofCut.get(left) ?? []), one])
  }
  return [...passes.values()].flatMap((ofCut) => [...ofCut.values()])
}
