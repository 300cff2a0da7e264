// Owns the record of a sweep before its test split is read: what became of each head, and the best. Pure
// but for the time.
import type { HeadOutcome } from '../head/fused/types.js'
import type { SplitMetrics } from '../head/types.js'
import type { RunRecord } from '../model/run-record.js'
import type { Selection, SweepHead, SweepRecord } from '../model/sweep-record.js'
import { bestIndex, metricValue } from './sweep/select.js'
import type { EndedHead, SweepRequest } from './sweep-types.js'

/** NaN has no place in a record. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** Epochs that were trained, for heads with and without a run. */
const epochsOf = ({ outcome, run }: EndedHead): number => {
  if (outcome === null || outcome.state === 'trained') return run?.history.length ?? 0
  return outcome.history.length
}

const messageOf = (outcome: HeadOutcome | null): string | undefined => {
  if (outcome?.state === 'diverged') return outcome.message
  return outcome?.state === 'pruned' ? `others were ahead after epoch ${outcome.epoch}` : undefined
}

const headOf = (
  { selection, plan }: Pick<SweepRequest, 'selection' | 'plan'>,
  ended: EndedHead,
): SweepHead => {
  const { planned, outcome, run } = ended
  const { metric } = selection
  const measure = (metrics: SplitMetrics | undefined): number | null =>
    metrics === undefined ? null : finite(metricValue(metrics, metric))
  const folds =
    plan.folds !== null && outcome?.state === 'trained'
      ? (outcome.folds ?? []).flatMap(({ metrics }) => measure(metrics) ?? [])
      : null
  const measured = run?.metrics.validation ?? run?.metrics.train
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
  const message = messageOf(outcome)
  return {
    head: plain(planned.head) as SweepHead['head'],
    cut: planned.features.cut.cut,
    pooling: planned.features.cut.pooling,
    views: planned.views,
    state: outcome?.state ?? 'trained',
    runId: run?.runId ?? null,
    epochs: epochsOf(ended),
    value: folds === null ? measure(measured) : mean(folds),
    validation: run?.metrics.validation ?? null,
    folds,
    ...(message === undefined ? {} : { message }),
    ...(outcome === null || outcome.state === 'trained'
      ? {}
      : { history: outcome.history.map((epoch) => ({ ...epoch })) }),
  }
}

/**
 * The record of a sweep, with the best of the heads that were trained to their end.
 *
 * @returns null when there is none.
 */
export const describeSweep = (
  request: SweepRequest & { readonly sweepId: string; readonly ended: readonly EndedHead[] },
): SweepRecord | null => {
  const { ended, selection, plan, opened, name, sweepId } = request
  const heads = ended.map((one) => headOf(request, one))
  const candidates = heads.map(({ runId, value }) => (runId === null ? null : value))
  const index = bestIndex(candidates, selection) ?? heads.findIndex(({ runId }) => runId !== null)
  const runId = heads[index]?.runId ?? null
  const base = ended[index]?.run?.base
  if (runId === null || base === undefined) return null
  const { datasetId, contentId } = opened.dataset
  return {
    version: 1,
    sweepId,
    createdAt: new Date().toISOString(),
    ...(name === undefined ? {} : { name }),
    dataset: { datasetId, contentId },
    base,
    select: selection,
    folds: plan.folds,
    halving: plan.halving,
    heads,
    best: { index, runId, test: null },
  }
}

/** The only head of an experiment, from its run. */
export const headOfRun = (run: RunRecord, { metric }: Selection): SweepHead => {
  const measured = run.metrics.validation ?? run.metrics.train
  return {
    head: run.head,
    cut: run.extractor.cut,
    pooling: run.extractor.pooling,
    views: run.extractors.length,
    state: 'trained',
    runId: run.runId,
    epochs: run.history.length,
    value: measured === undefined ? null : finite(metricValue(measured, metric)),
    validation: run.metrics.validation ?? null,
    folds: null,
  }
}
