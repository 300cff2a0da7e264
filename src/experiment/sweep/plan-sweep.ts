// Owns what an experiment trains: every head, on which cut, on how many views. Pure: what does not
// depend on the dataset is refused here, before any work.
import { HeadstartError } from '../../errors.js'
import { type HeadSpec, isPresetSpec } from '../../head/spec.js'
import type { SelectMetric } from '../../model/sweep-record.js'
import type { Experiment } from '../schema.js'
import { type Combination, completeHead, identityOf, type Placed } from './combination.js'
import { drawCombination } from './draw-random.js'
import { expandGrids } from './expand-grid.js'
import { type HeadEntry, MAX_HEADS, splitPlace } from './list-schema.js'
import type { RandomSearch } from './random-schema.js'
import type { Halving } from './schema.js'

export interface SweepCandidate {
  readonly head: HeadSpec
  /** Index in `base.cuts`. */
  readonly cut: number
  /** Trained on the first views. */
  readonly views: number
}

export interface SweepPlan {
  /** At least one, at most 1,000, no two alike; the order decides between equals. */
  readonly candidates: readonly SweepCandidate[]
  /** Null: the usual metric of the task. */
  readonly select: SelectMetric | null
  readonly folds: number | null
  readonly halving: Halving | null
  /** What the user should know: fewer heads than asked for. */
  readonly notes: readonly string[]
}

type Planned = Pick<Experiment, 'base' | 'heads' | 'views' | 'select' | 'folds' | 'halving'>

/** Draws that find nothing new before the search is given up. */
const MAX_FRUITLESS = 1000

const drawHeads = (
  search: RandomSearch,
): { readonly placed: readonly Placed[]; readonly notes: readonly string[] } => {
  const found = new Map<string, Placed>()
  let fruitless = 0
  for (let draw = 0; found.size < search.count && fruitless < MAX_FRUITLESS; draw += 1) {
    const placed = completeHead(drawCombination(search, draw), 'heads.random')
    const identity = identityOf(placed)
    fruitless = found.has(identity) ? fruitless + 1 : 0
    if (!found.has(identity)) found.set(identity, placed)
  }
  const { size } = found
  const note = `the random search has no more than ${size} different heads; count asks for ${search.count}`
  return { placed: [...found.values()], notes: size < search.count ? [note] : [] }
}

const ofEntry = (entry: HeadEntry): Placed => {
  const { head, place } = splitPlace(entry)
  return { head: head as HeadSpec, place }
}

const headsOf = ({ heads }: Planned): ReturnType<typeof drawHeads> => {
  if ('random' in heads) return drawHeads(heads)
  if (!('grid' in heads)) return { placed: heads.map(ofEntry), notes: [] }
  const complete = (combination: Combination) => completeHead(combination, 'heads.grid')
  return { placed: expandGrids(heads.grid).map(complete), notes: [] }
}

const invalid = (message: string, details: readonly string[] = []): HeadstartError =>
  new HeadstartError('REQUEST_INVALID', message, { details })

const cutsOf = ({ place }: Placed, { base }: Planned): readonly number[] => {
  const indices = base.cuts.flatMap(({ cut, pooling }, index) =>
    (place.cut ?? cut) === cut && (place.pooling ?? pooling) === pooling ? [index] : [],
  )
  if (indices.length > 0) return indices
  const asked = [place.cut, place.pooling].filter((part) => part !== undefined).join(', pooling ')
  throw invalid(
    `a head asks for ${place.cut === undefined ? 'pooling ' : 'the cut '}${asked}, which base.cuts does not have`,
    base.cuts.map(({ cut, pooling }) => `base.cuts: ${cut}, pooling ${pooling}`),
  )
}

const assertHalvingFits = ({ halving }: Planned, candidates: readonly SweepCandidate[]): void => {
  if (halving === null) return
  const presets = candidates.filter(({ head }) => isPresetSpec(head))
  if (presets.length === 0)
    throw invalid('halving compares linear and mlp heads that are trained in epochs; there is none')
  const longest = Math.max(...presets.map(({ head }) => head.epochs))
  if (longest <= halving.epochs)
    throw invalid(
      `halving compares heads after ${halving.epochs} epochs, and none has more than ${longest}: lower halving.epochs`,
    )
}

/** Every head carries its topology into jobs and records. */
const MAX_TOPOLOGY_BYTES = 64 * 2 ** 20

const assertTopologiesFit = (candidates: readonly SweepCandidate[]): void => {
  const sizes = new Map<object, number>()
  let total = 0
  for (const { head } of candidates) {
    if (head.kind !== 'custom') continue
    const { topology } = head
    const size = sizes.get(topology) ?? Buffer.byteLength(JSON.stringify(topology))
    sizes.set(topology, size)
    total += size
  }
  if (total > MAX_TOPOLOGY_BYTES)
    throw invalid(
      `the topologies of all heads take ${Math.round(total / 1e6)} MB; at most ${Math.round(MAX_TOPOLOGY_BYTES / 1e6)} MB: use fewer combinations`,
    )
}

/**
 * The plan of an experiment.
 *
 * @throws REQUEST_INVALID: too many heads, a combination that cannot be trained, a cut, views or a
 *   halving that does not fit.
 */
export const planSweep = (experiment: Planned): SweepPlan => {
  const { placed, notes } = headsOf(experiment)
  const candidates = new Map<string, SweepCandidate>()
  for (const one of placed) {
    const views = one.place.views ?? experiment.views
    if (views > experiment.views)
      throw invalid(`a head asks for ${views} views; the experiment has ${experiment.views}`)
    for (const cut of cutsOf(one, experiment)) {
      const identity = identityOf({ head: one.head, place: { cut: String(cut), views } })
      if (!candidates.has(identity)) candidates.set(identity, { head: one.head, cut, views })
    }
  }
  if (candidates.size > MAX_HEADS)
    throw invalid(
      `${placed.length} heads on ${experiment.base.cuts.length} cuts are ${candidates.size.toLocaleString('en')}; at most ${MAX_HEADS.toLocaleString('en')}: name a cut, or shorten the list`,
    )
  const all = [...candidates.values()]
  assertHalvingFits(experiment, all)
  assertTopologiesFit(all)
  const { select = null, folds, halving } = experiment
  return { candidates: all, select, folds, halving, notes }
}
