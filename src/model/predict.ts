// Owns predicting many inputs with a published model: batches in flight, answers in order.
import { assertNotAborted } from '../errors.js'
import type { SampleContent } from '../extractor/extractor.js'
import type { Input } from './inputs.js'
import type { Model } from './open-model.js'
import type { RunRecord } from './run-record.js'

export interface ClassProbability {
  readonly label: string
  /** 0..1 */
  readonly probability: number
}

export interface OutputValue {
  /** An output of a regression. */
  readonly label: string
  /** In the units of the target. */
  readonly value: number
}

export type PredictedLabels = readonly ClassProbability[] | readonly OutputValue[]

export type NamedPrediction =
  | { readonly name: string; readonly ok: true; readonly labels: PredictedLabels }
  | { readonly name: string; readonly ok: false; readonly problem: string }

/** Classes by falling probability; outputs of a regression in their own order. */
export const labelOutputs = (
  target: RunRecord['target'],
  outputs: Float32Array,
): PredictedLabels => {
  const outputAt = (i: number): number => outputs[i] ?? Number.NaN
  if (target.kind === 'regression')
    return target.outputs.map((label, i) => ({ label, value: outputAt(i) }))
  return target.classes
    .map((label, i) => ({ label, probability: outputAt(i) }))
    .sort((a, b) => b.probability - a.probability)
}

const isReadable = (input: Input): input is { readonly name: string } & SampleContent =>
  'content' in input

/** One answer for each input, in order; inputs that cannot be read are answers too. */
export const predictBatch = async (
  model: Model,
  batch: readonly Input[],
): Promise<readonly NamedPrediction[]> => {
  const predictions = await model.predict(batch.filter(isReadable))
  let next = 0
  return batch.map((input): NamedPrediction => {
    const { name } = input
    if (!isReadable(input)) return { name, ok: false, problem: input.problem }
    const prediction = predictions[next]
    next += 1
    if (prediction === undefined) return { name, ok: false, problem: 'no answer' }
    return prediction.ok
      ? { name, ok: true, labels: labelOutputs(model.run.target, prediction.outputs) }
      : { name, ok: false, problem: prediction.reason }
  })
}

/**
 * Predictions in the order of the inputs; memory is bounded by the batches in flight.
 *
 * @throws INTERRUPTED, and what the inputs throw.
 */
export async function* predictInputs(
  model: Model,
  inputs: AsyncIterable<Input>,
  signal?: AbortSignal,
): AsyncGenerator<NamedPrediction> {
  const { batchSize, parallelBatches } = model.extractor
  const inFlight: Promise<readonly NamedPrediction[]>[] = []
  let batch: Input[] = []
  const send = (): void => {
    const answer = predictBatch(model, batch)
    // The rejection is seen when this batch's turn comes; until then it must not count as unhandled.
    answer.catch(() => undefined)
    inFlight.push(answer)
    batch = []
  }
  for await (const input of inputs) {
    assertNotAborted(signal)
    batch.push(input)
    if (batch.length === batchSize) send()
    if (inFlight.length >= parallelBatches) yield* (await inFlight.shift()) ?? []
  }
  // Inputs may end because the signal has fired.
  assertNotAborted(signal)
  if (batch.length > 0) send()
  for (const answer of inFlight) yield* await answer
}
