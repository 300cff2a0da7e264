// Owns which trainer trains which head of one feature set: preset heads together, exact heads
// together, all others one after another. Publishes nothing.
import { join } from 'node:path'
import { isHeadstartError } from '../errors.js'
import { fileCheckpoint } from '../head/checkpoint-file.js'
import { solveTogether } from '../head/exact/solve-together.js'
import { isFusedAvailable } from '../head/fused/onnxruntime.js'
import { trainTogether } from '../head/fused/train-together.js'
import type { FoldResult, Folds, Halving, HeadOutcome } from '../head/fused/types.js'
import { type HeadSpec, isExactSpec, isPresetSpec } from '../head/spec.js'
import { trainHead } from '../head/train.js'
import type { EpochMetrics, TrainingData } from '../head/types.js'

export interface Candidate {
  readonly spec: HeadSpec
  readonly seed: number
  /** Trained on the first views of the features. */
  readonly views: number
}

export interface CandidatesRequest {
  readonly data: TrainingData
  readonly candidates: readonly Candidate[]
  /** Null: no cross-validation. */
  readonly folds: Folds | null
  /** Of preset heads; null: every head is trained to its end. */
  readonly halving: Halving | null
  /** Folder of the checkpoints; the caller removes it once all is published. */
  readonly checkpoints: string
  readonly signal: AbortSignal | undefined
  readonly onEpoch: (candidate: number, metrics: EpochMetrics) => void
  readonly onNotice: ((message: string) => void) | undefined
}

interface Placed<Spec extends HeadSpec = HeadSpec> extends Candidate {
  readonly spec: Spec
  /** Position in the request. */
  readonly index: number
}

type Outcomes = ReadonlyMap<number, HeadOutcome>

const byIndex = (members: readonly Placed[], outcomes: readonly HeadOutcome[]): Outcomes =>
  new Map(members.map(({ index }, position) => [index, outcomes[position] as HeadOutcome]))

const shared = (
  { data, checkpoints, signal, onEpoch, onNotice }: CandidatesRequest,
  members: readonly Placed[],
  name: string,
) => ({
  data,
  signal,
  onNotice,
  checkpoint: fileCheckpoint(join(checkpoints, name)),
  onEpoch: (position: number, metrics: EpochMetrics) =>
    onEpoch((members[position] as Placed).index, metrics),
})

/** The rows of a fold are validation, other rows that are not for training take no part. */
const withoutFold = (data: TrainingData, { of }: Folds, fold: number): TrainingData => ({
  ...data,
  splits: data.splits.map((split, row) => {
    if (split !== 'train') return 'test'
    return of[row] === fold ? 'validation' : 'train'
  }),
})

/** What the training of a fold has to tell, the training of the whole split has told. */
const quietly = (request: CandidatesRequest, data: TrainingData): CandidatesRequest => ({
  ...request,
  data,
  onEpoch: () => undefined,
  onNotice: undefined,
})

/** Trains each head once more without each fold, by a trainer that knows no folds. */
const crossValidate = async (
  { data, folds }: CandidatesRequest,
  outcomes: readonly HeadOutcome[],
  train: (data: TrainingData, fold: number) => Promise<readonly HeadOutcome[]>,
): Promise<readonly HeadOutcome[]> => {
  if (folds === null) return outcomes
  const found = outcomes.map((): FoldResult[] => [])
  const lost = new Map<number, string>()
  for (let fold = 0; fold < folds.count; fold += 1) {
    const reduced = withoutFold(data, folds, fold)
    if (!reduced.splits.includes('validation')) continue
    for (const [position, outcome] of (await train(reduced, fold)).entries()) {
      if (outcome.state === 'diverged')
        lost.set(position, `${outcome.message} in the training without fold ${fold + 1}`)
      const metrics = outcome.state === 'trained' ? outcome.head.metrics.validation : undefined
      if (outcome.state !== 'trained' || metrics === undefined) continue
      found[position]?.push({ fold, bestEpoch: outcome.head.bestEpoch, metrics })
    }
  }
  return outcomes.map((outcome, position): HeadOutcome => {
    if (outcome.state !== 'trained') return outcome
    const message = lost.get(position)
    if (message === undefined) return { ...outcome, folds: found[position] ?? [] }
    // As in training together: the mean over the folds that went well would flatter it.
    const { history } = outcome.head
    return { state: 'diverged', epoch: history.length, message, history }
  })
}

const solve = async (request: CandidatesRequest, members: readonly Placed[]) => {
  const heads = members.filter((one): one is Placed & ExactMember => isExactSpec(one.spec))
  const outcomes = await solveTogether({ ...shared(request, heads, 'exact'), heads })
  return byIndex(
    heads,
    await crossValidate(request, outcomes, (data, fold) =>
      solveTogether({
        ...shared(quietly(request, data), heads, `exact-${fold}`),
        heads,
      }),
    ),
  )
}
type ExactMember = Parameters<typeof solveTogether>[0]['heads'][number]

/** The first views of the features. */
const firstViews = (data: TrainingData, views: number): TrainingData => ({
  ...data,
  features: {
    ...data.features,
    viewCount: views,
    resident: data.features.resident?.slice(0, views) ?? null,
  },
})

/** One head by TF.js. A loss that is not finite is an outcome. */
const trainAlone = async (
  request: CandidatesRequest,
  member: Placed,
  name: string,
): Promise<HeadOutcome> => {
  const { spec, seed, views } = member
  const history: EpochMetrics[] = []
  const { onEpoch, ...rest } = shared(request, [member], name)
  try {
    const head = await trainHead({
      ...rest,
      data: firstViews(request.data, views),
      spec: spec as Parameters<typeof trainHead>[0]['spec'],
      seed,
      onEpoch: (metrics) => {
        history.push(metrics)
        onEpoch(0, metrics)
      },
    })
    return { state: 'trained', head, folds: null }
  } catch (error) {
    if (!isHeadstartError(error, 'HEAD_DIVERGED')) throw error
    return { state: 'diverged', epoch: history.length + 1, message: error.message, history }
  }
}

const trainEachAlone = async (request: CandidatesRequest, members: readonly Placed[]) => {
  const found = new Map<number, HeadOutcome>()
  for (const member of members) {
    const { index } = member
    const alone = [await trainAlone(request, member, `head-${index}`)]
    const [outcome] = await crossValidate(request, alone, async (data, fold) => [
      await trainAlone(
        { ...request, data, onEpoch: () => undefined },
        member,
        `head-${index}-${fold}`,
      ),
    ])
    if (outcome !== undefined) found.set(index, outcome)
  }
  return found
}

const together = async (request: CandidatesRequest, members: readonly Placed[]) => {
  const heads = members.filter((one): one is Placed & PresetMember => isPresetSpec(one.spec))
  const { folds, halving } = request
  return byIndex(
    heads,
    await trainTogether({ ...shared(request, heads, 'together'), heads, folds, halving }),
  )
}
type PresetMember = Parameters<typeof trainTogether>[0]['heads'][number]

/**
 * Trains heads on one feature set.
 *
 * @returns what became of each, in the order of the candidates.
 * @throws HEAD_INVALID, ENGINE_UNAVAILABLE, INTERRUPTED (the next call goes on), and the errors of
 *   FeatureSource.read. A head that diverges is an outcome.
 */
export const trainCandidates = async (
  request: CandidatesRequest,
): Promise<readonly HeadOutcome[]> => {
  const placed = request.candidates.map((one, index): Placed => ({ ...one, index }))
  const isTogether = (await isFusedAvailable())
    ? ({ spec }: Placed) => isPresetSpec(spec)
    : () => false
  const parts: [readonly Placed[], typeof solve][] = [
    [placed.filter(isTogether), together],
    [placed.filter(({ spec }) => isExactSpec(spec)), solve],
    [placed.filter((one) => !isTogether(one) && !isExactSpec(one.spec)), trainEachAlone],
  ]
  const outcomes = new Map<number, HeadOutcome>()
  for (const [members, train] of parts) {
    if (members.length === 0) continue
    for (const [index, outcome] of await train(request, members)) outcomes.set(index, outcome)
  }
  return placed.map(({ index }) => outcomes.get(index) as HeadOutcome)
}
