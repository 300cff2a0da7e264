// Owns how heads and their metrics are written in one line.
import type { RunRecord } from '../model/run-record.js'
import { fraction } from './tables.js'

type Metrics = RunRecord['metrics']
const SPLITS = ['train', 'validation', 'test'] as const

const scoreName = (metrics: Metrics | undefined): string => {
  const kind = (metrics?.train ?? metrics?.validation ?? metrics?.test)?.kind
  return kind === 'regression' ? 'R2' : 'accuracy'
}

/** Headings of metricCells. */
export const metricHead = (metrics: Metrics | undefined): string[] =>
  SPLITS.map((split) => `${split} ${scoreName(metrics)}`)

/** Accuracy (R2 for regression) of each split. */
export const metricCells = (metrics: Metrics): string[] =>
  SPLITS.map((split) => {
    const value = metrics[split]
    return fraction(value?.kind === 'regression' ? value.r2 : value?.accuracy)
  })

/** The kind of a head and what most changes its result. */
export const describeHead = (head: RunRecord['head']): string => {
  if (typeof head !== 'object' || head === null || Array.isArray(head)) return '?'
  const { kind, width, depth, optimizer, learningRate, epochs } = head
  const shape = kind === 'mlp' ? ` ${String(depth)}x${String(width)}` : ''
  // lbfgs finds its step lengths itself.
  const rate = learningRate === null ? '' : ` ${String(learningRate)}`
  return `${String(kind)}${shape} ${String(optimizer)}${rate} x${String(epochs)}`
}
