// Owns what the outputs of a head say of one sample: its row among the predictions of a split. Pure.
import type { Target } from '../dataset/types.js'
import type { ClassRow, LabelsRow, PredictionRows, ValuesRow } from '../features/prediction-rows.js'
import type { Sha256 } from '../identity/hash.js'

/** Of a multi-label head, as its metrics have it. */
const THRESHOLD = 0.5

/** The first of equals, as the metrics have it. */
const argMax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? 0) ? i : best), 0)

const classRow = (key: Sha256, label: readonly number[], outputs: Float32Array): ClassRow => {
  const actual = label[0] ?? 0
  const predicted = argMax(outputs)
  return {
    key,
    actual,
    predicted,
    confidence: outputs[predicted] ?? 0,
    right: predicted === actual,
    trueProbability: outputs[actual] ?? 0,
  }
}

const labelsRow = (key: Sha256, label: readonly number[], outputs: Float32Array): LabelsRow => {
  const predicted = [...outputs.keys()].filter((i) => (outputs[i] ?? 0) >= THRESHOLD)
  const actual = [...label]
  const right = predicted.join() === actual.join()
  return { key, actual, predicted, right, probabilities: [...outputs] }
}

const valuesRow = (key: Sha256, label: readonly number[], outputs: Float32Array): ValuesRow => ({
  key,
  actual: [...label],
  predicted: [...outputs],
})

/** Takes the outputs of one sample; its label as in Sample.label. */
export type TakeOutputs = (key: Sha256, label: readonly number[], outputs: Float32Array) => void

/** Rows of a task in the order in which they are taken. */
export const collectorFor = (
  kind: Target['kind'],
): { readonly take: TakeOutputs; readonly predictions: PredictionRows } => {
  switch (kind) {
    case 'single': {
      const rows: ClassRow[] = []
      return { take: (...sample) => rows.push(classRow(...sample)), predictions: { kind, rows } }
    }
    case 'multi': {
      const rows: LabelsRow[] = []
      return { take: (...sample) => rows.push(labelsRow(...sample)), predictions: { kind, rows } }
    }
    case 'regression': {
      const rows: ValuesRow[] = []
      return { take: (...sample) => rows.push(valuesRow(...sample)), predictions: { kind, rows } }
    }
    default:
      return kind satisfies never
  }
}
