// Owns predictions one by one: made of a head's outputs, and the mistakes that are worth looking at. Pure.
import type { Sample, Target } from '../dataset/types.js'
import type {
  ClassPrediction,
  LabelsPrediction,
  MeasuredSplit,
  Prediction,
  RunReport,
  ValuesPrediction,
} from './types.js'

const THRESHOLD = 0.5

const argMax = (values: Float32Array): number =>
  values.reduce((best, value, index) => (value > (values[best] as number) ? index : best), 0)

const predictionOf = (target: Target, row: Float32Array, sample: Sample): Prediction => {
  const { key, names, label } = sample
  const named = { key, name: names[0] ?? key }
  switch (target.kind) {
    case 'single': {
      const actual = label[0] ?? 0
      const predicted = argMax(row)
      const [confidence = 0, trueProbability = 0] = [row[predicted], row[actual]]
      const right = predicted === actual
      return { kind: 'single', ...named, actual, predicted, right, confidence, trueProbability }
    }
    case 'multi': {
      const predicted = [...row.keys()].filter((index) => (row[index] ?? 0) > THRESHOLD)
      const right = predicted.join() === label.join()
      return { kind: 'multi', ...named, actual: label, predicted, right, probabilities: [...row] }
    }
    case 'regression':
      return { kind: 'regression', ...named, actual: label, predicted: [...row] }
    default:
      return target satisfies never
  }
}

/**
 * The predictions of one split.
 *
 * @param outputs [samples.length, units] row-major: probabilities, or values in the target's units.
 * @throws RangeError when the outputs do not fit the samples.
 */
export const predictionsOf = (
  target: Target,
  outputs: Float32Array,
  samples: readonly Sample[],
): Prediction[] => {
  const units = target.kind === 'regression' ? target.outputs.length : target.classes.length
  if (outputs.length !== units * samples.length)
    throw new RangeError(`${samples.length} samples need ${units} outputs each`)
  return samples.map((sample, index) =>
    predictionOf(target, outputs.subarray(index * units, (index + 1) * units), sample),
  )
}

export const isClassPrediction = (prediction: Prediction): prediction is ClassPrediction =>
  prediction.kind === 'single'
export const isLabelsPrediction = (prediction: Prediction): prediction is LabelsPrediction =>
  prediction.kind === 'multi'
export const isValuesPrediction = (prediction: Prediction): prediction is ValuesPrediction =>
  prediction.kind === 'regression'

/** The split that the detailed charts are about: test where it was read, else validation. */
export const measuredSplit = ({
  run,
  predictions,
}: Pick<RunReport, 'run' | 'predictions'>): MeasuredSplit | null => {
  const has = (split: MeasuredSplit) =>
    run.metrics[split] !== undefined || (predictions[split] ?? []).length > 0
  return has('test') ? 'test' : has('validation') ? 'validation' : null
}

/** The class that a multi-label prediction is most wrong about, and by how much (0..1). */
export const worstLabel = ({
  actual,
  probabilities,
}: LabelsPrediction): { readonly index: number; readonly error: number } => {
  const labelled = new Set(actual)
  return probabilities.reduce(
    (worst, probability, index) => {
      const error = labelled.has(index) ? 1 - probability : probability
      return error > worst.error ? { index, error } : worst
    },
    { index: 0, error: -1 },
  )
}

/** The output with the largest absolute residual, each divided by its `scales` entry. */
export const worstOutput = (
  { actual, predicted }: ValuesPrediction,
  scales: readonly number[],
): { readonly index: number; readonly error: number } =>
  actual.reduce(
    (worst, value, index) => {
      const error = Math.abs((predicted[index] ?? 0) - value) / (scales[index] || 1)
      return error > worst.error ? { index, error } : worst
    },
    { index: 0, error: -1 },
  )

/** Root mean square residual of each output, so that outputs of different units compare. */
export const residualScales = (predictions: readonly Prediction[]): number[] => {
  const values = predictions.filter(isValuesPrediction)
  const outputs = values[0]?.actual.length ?? 0
  return Array.from({ length: outputs }, (_, index) => {
    const sum = values.reduce(
      (total, { actual, predicted }) =>
        total + ((predicted[index] ?? 0) - (actual[index] ?? 0)) ** 2,
      0,
    )
    return Math.sqrt(sum / values.length)
  })
}

/**
 * The most confident mistakes, worst first: wrong classes by confidence, wrong labels by how far off
 * the worst one is, values by their residual in units of the output's root mean square residual.
 */
export const mistakesOf = (predictions: readonly Prediction[], limit: number): Prediction[] => {
  const scales = residualScales(predictions)
  const weights = new Map<Prediction, number>()
  for (const prediction of predictions) {
    if (prediction.kind === 'regression')
      weights.set(prediction, worstOutput(prediction, scales).error)
    else if (!prediction.right)
      weights.set(
        prediction,
        prediction.kind === 'single' ? prediction.confidence : worstLabel(prediction).error,
      )
  }
  return [...weights]
    .filter(([, weight]) => weight > 0)
    .sort(([a, x], [b, y]) => y - x || (a.key < b.key ? -1 : 1))
    .slice(0, limit)
    .map(([prediction]) => prediction)
}
