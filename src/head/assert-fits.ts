// Owns what is refused of a head before any feature is computed: all that trainHead would refuse
// whatever the features are. Keeps nothing: what it builds it frees.
import type { Split, Target } from '../dataset/types.js'
import { isHeadstartError } from '../errors.js'
import { residentSource } from '../features/feature-source.js'
import { ensureHeadBackend } from './backend.js'
import { plainBatches } from './batches.js'
import { type BuiltHead, buildHead, unitsOf } from './build.js'
import type { CustomSpec, HeadSpec } from './spec.js'
import { createStepTargets } from './targets.js'
import { createTrainer } from './trainer.js'
import type { TrainingData } from './types.js'
import { taskFaults, untrainable } from './validate.js'

export interface FitRequest {
  readonly spec: HeadSpec
  /** Of one sample, without the batch, e.g. [1280] or [7, 7, 320]. */
  readonly featureShape: readonly number[]
  readonly target: Target
  /** Splits that have samples. */
  readonly splits: ReadonlySet<Split>
}

/** More than one row, as batch statistics need. */
const TRIAL_ROWS = 2

/** Features [TRIAL_ROWS, width] of zeros with the first class, or zeros, as labels. */
const zeroData = (featureShape: readonly number[], target: Target): TrainingData => {
  const width = featureShape.reduce((product, size) => product * size, 1)
  const label = target.kind === 'regression' ? target.outputs.map(() => 0) : [0]
  return {
    features: residentSource([new Float32Array(TRIAL_ROWS * width)], width),
    rows: TRIAL_ROWS,
    width,
    featureShape,
    target,
    labels: Array.from({ length: TRIAL_ROWS }, () => label),
    splits: Array.from({ length: TRIAL_ROWS }, () => 'train'),
  }
}

/** One step on zeros: layers without a gradient on this backend show in it. Changes the weights. */
const tryStep = async (head: BuiltHead, custom: CustomSpec, request: FitRequest): Promise<void> => {
  const spec: CustomSpec = { ...custom, classWeights: 'none' }
  const data = zeroData(request.featureShape, request.target)
  const rows = Uint32Array.from({ length: TRIAL_ROWS }, (_, row) => row)
  const targets = createStepTargets(spec, data, rows, false)
  const trainer = createTrainer({ head, spec, seed: 0, data, targets })
  try {
    await trainer.runEpoch(plainBatches(data.features, rows, TRIAL_ROWS), 1, undefined)
  } catch (error) {
    // Zeros are not the features: a loss that is not finite says nothing about them.
    if (!isHeadstartError(error, 'HEAD_DIVERGED')) throw error
  } finally {
    trainer.dispose()
  }
}

/** Builds the head as a training would, and tries one step of a custom one; frees it. */
const tryHead = async (request: FitRequest): Promise<void> => {
  const { spec, featureShape, target } = request
  const head = await buildHead({ spec, featureShape, target, seed: null })
  try {
    if (spec.kind === 'custom' && unitsOf(target) > 0) await tryStep(head, spec, request)
  } finally {
    head.dispose()
  }
}

/**
 * Whether a head can be trained on features of a shape for a task. Needs no feature, so that a head
 * that cannot be trained is refused before hours of extraction. Deterministic.
 *
 * @throws HEAD_INVALID with every fault in `details`; ENGINE_UNAVAILABLE.
 */
export const assertHeadFits = async (request: FitRequest): Promise<void> => {
  const faults = taskFaults(request)
  let cause: unknown
  await ensureHeadBackend()
  try {
    await tryHead(request)
  } catch (error) {
    if (!isHeadstartError(error, 'HEAD_INVALID')) throw error
    faults.push(...(error.details.length > 0 ? error.details : [error.message]))
    cause = error
  }
  if (faults.length > 0) throw untrainable(faults, cause)
}
