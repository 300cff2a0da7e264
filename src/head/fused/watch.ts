// Owns what is remembered of each training from epoch to epoch: its history, its best epoch, whether and
// how it ended. The same rules as progress.ts.
import type { EpochMetrics } from '../types.js'
import type { Copy } from './groups.js'
import type { Weights } from './layers.js'
import type { Measured } from './measure.js'

export type End =
  /** All its epochs, or early stopping. */
  | { readonly kind: 'trained'; readonly stoppedEarly: boolean }
  | { readonly kind: 'diverged'; readonly epoch: number; readonly message: string }
  | { readonly kind: 'pruned'; readonly epoch: number }
  /** A fold whose head is not trained any more. */
  | { readonly kind: 'left' }

/** Changes between two epochs only, so that it is the state of the last finished one at any time. */
export interface Run {
  readonly copy: Copy
  history: EpochMetrics[]
  /** Epochs since the best one. */
  waited: number
  best: { readonly epoch: number; readonly value: number; readonly weights: Weights } | null
  end: End | null
  /** The weights to publish, once it is trained. */
  kept: Weights | null
}

export const createRun = (copy: Copy): Run => ({
  copy,
  history: [],
  waited: 0,
  best: null,
  end: null,
  kept: null,
})

export const bestEpochOf = ({ best, history }: Run): number => best?.epoch ?? history.length

const firstFault = ({ train, validation }: Measured): number | null =>
  [train.loss, validation?.loss ?? 0].find((loss) => !Number.isFinite(loss)) ?? null

/**
 * Takes in an epoch.
 *
 * @param isFinite whether all weights are.
 * @param read a copy of the weights.
 */
export const finishEpoch = (
  run: Run,
  epoch: number,
  measured: Measured,
  weights: { readonly isFinite: boolean; readonly read: () => Weights },
): void => {
  const { spec, fold } = run.copy
  const fault = firstFault(measured)
  if (fault !== null || !weights.isFinite) {
    const where = fold === null ? '' : ` in the training without fold ${fold + 1}`
    const what = fault !== null ? `the loss is ${fault}` : 'a weight is not finite'
    run.end = { kind: 'diverged', epoch, message: `${what} after epoch ${epoch}${where}` }
    run.best = null
    return
  }
  run.history.push({ epoch, ...measured })
  const stopping = spec.earlyStopping
  if (stopping !== null && measured.validation !== null) {
    const value = measured.validation[stopping.metric]
    const { minDelta } = stopping
    const isBetter =
      run.best === null ||
      (stopping.metric === 'loss'
        ? value < run.best.value - minDelta
        : value > run.best.value + minDelta)
    run.waited = isBetter ? 0 : run.waited + 1
    if (isBetter) run.best = { epoch, value, weights: weights.read() }
  }
  const isStopped = stopping !== null && run.waited >= stopping.patience
  if (!isStopped && epoch < spec.epochs) return
  run.end = { kind: 'trained', stoppedEarly: isStopped && epoch < spec.epochs }
  run.kept = run.best?.weights ?? weights.read()
}

/** Folds of a head that diverged or was pruned leave with it; a head one of whose folds diverged is lost. */
export const settleFolds = (runs: readonly Run[]): void => {
  const [own] = runs
  if (own === undefined) return
  const lost = runs.find(({ end }) => end?.kind === 'diverged')?.end
  if (lost !== undefined && lost !== null && own.end?.kind !== 'diverged') own.end = lost
  if (own.end === null || own.end.kind === 'trained') return
  for (const run of runs) {
    run.end ??= { kind: 'left' }
    run.kept = null
    run.best = null
  }
}
