// Owns what an experiment comes to: its result, its best run, and the name that points to it.
import { canonicalJson } from '../identity/canonical-json.js'
import { shortId } from '../identity/hash.js'
import { namedRunSchema } from '../model/find-run.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import type { Selection, SweepHead } from '../model/sweep-record.js'
import { parseStored } from '../store/json.js'
import { getName, setName } from '../store/names.js'
import type { Store } from '../store/port.js'
import type { Events } from './events.js'
import type { ViewFeatures } from './extraction.js'
import type { SweepResult } from './sweep-types.js'

export interface ExperimentResult {
  /** Of the first cut; `computed` and `reused` count forward passes over all cuts and views. */
  readonly featureSet: {
    readonly id: string
    /** Samples of the dataset. */
    readonly samples: number
    readonly computed: number
    readonly reused: number
    readonly quarantined: number
  }
  /** One a head that was trained to its end, in the order of the experiment. */
  readonly runs: readonly {
    readonly id: string
    /** False when an identical run existed. */
    readonly trained: boolean
    readonly head: RunRecord['head']
    /** `test` of the best run alone. */
    readonly metrics: RunRecord['metrics']
  }[]
  /** The run with the best value of `sweep.select` on validation (on train where there is no validation split). */
  readonly best: string
  /** Every head, those that were pruned or diverged among them. */
  readonly sweep: {
    readonly id: string
    readonly select: Selection
    readonly heads: readonly SweepHead[]
  }
  readonly parity: Pick<Parity, 'samples' | 'bitwise' | 'maxAbsDiff'>
  readonly seconds: { readonly extract: number; readonly train: number; readonly total: number }
}

/** What an experiment comes to. `total` is the caller's to say. */
export const resultOf = ({
  views,
  samples,
  swept: { sweep, runs, best },
  seconds,
}: {
  /** All views of all cuts. */
  readonly views: readonly ViewFeatures[]
  readonly samples: number
  readonly swept: SweepResult
  readonly seconds: { readonly extract: number; readonly train: number }
}): ExperimentResult => {
  const [plain] = views
  if (plain === undefined) throw new RangeError('there is no view')
  const { bitwise, maxAbsDiff } = best.parity
  return {
    featureSet: {
      id: plain.featureSet.featureSetId,
      samples,
      computed: views.reduce((sum, { computed }) => sum + computed, 0),
      reused: views.reduce((sum, { reused }) => sum + reused, 0),
      quarantined: plain.featureSet.quarantine.length,
    },
    runs: runs.map(({ run, trained }) => ({
      id: run.runId,
      trained,
      head: run.head,
      metrics: run.metrics,
    })),
    best: best.runId,
    sweep: { id: sweep.sweepId, select: sweep.select, heads: sweep.heads },
    parity: { samples: best.parity.samples, bitwise, maxAbsDiff },
    seconds: { ...seconds, total: seconds.extract + seconds.train },
  }
}

/** Points the experiment's name to its best run, and says so when that changes what the name means. */
export const nameBest = async (
  store: Store,
  name: string,
  best: RunRecord,
  events: Events,
): Promise<void> => {
  const previous = await getName(store, 'run', name)
  const value = { runId: best.runId }
  if (previous !== null && canonicalJson(previous) !== canonicalJson(value)) {
    const { runId } = parseStored(`names/run/${name}.json`, previous, namedRunSchema)
    events.onNotice?.(
      `${name} named the run ${shortId(runId)}; now it names ${shortId(best.runId)}`,
    )
  }
  await setName(store, 'run', name, value, { replace: true })
}
