// Owns what an experiment comes to: its result, its best run, and the name that points to it.
import { HeadstartError } from '../errors.js'
import { scoreOf } from '../head/metrics.js'
import { canonicalJson } from '../identity/canonical-json.js'
import { shortId } from '../identity/hash.js'
import { namedRunSchema } from '../model/find-run.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import { parseStored } from '../store/json.js'
import { getName, setName } from '../store/names.js'
import type { Store } from '../store/port.js'
import type { Events } from './events.js'
import type { RunResult } from './train-run.js'

export interface ExperimentResult {
  readonly featureSet: {
    readonly id: string
    /** Samples of the dataset. */
    readonly samples: number
    /** Forward passes made, over all views. */
    readonly computed: number
    readonly reused: number
    readonly quarantined: number
  }
  readonly runs: readonly {
    readonly id: string
    /** False when an identical run existed. */
    readonly trained: boolean
    readonly head: RunRecord['head']
    readonly metrics: RunRecord['metrics']
  }[]
  /** The run with the best validation score (training score where there is no validation split). */
  readonly best: string
  readonly parity: Pick<Parity, 'samples' | 'bitwise' | 'maxAbsDiff'>
  readonly seconds: { readonly extract: number; readonly train: number; readonly total: number }
}

/** By validation score; by training score where there is no validation split. */
export const bestOf = (runs: readonly RunResult[]): RunRecord => {
  const score = ({ run }: RunResult): number => {
    const metrics = run.metrics.validation ?? run.metrics.train
    return metrics === undefined ? Number.NEGATIVE_INFINITY : scoreOf(metrics)
  }
  const [first, ...others] = runs
  if (first === undefined) throw new HeadstartError('REQUEST_INVALID', 'there is no head to train')
  return others.reduce((best, run) => (score(run) > score(best) ? run : best), first).run
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
