// Owns what each training is trained towards: the shared targets of a row, and how a training reads them
// (smoothing, the scale of its own rows), the weights of classes, the rows of its fold. Pure.
import type { PresetSpec } from '../spec.js'
import { createStepTargets, type StepTargets, type TargetScale } from '../targets.js'
import type { TrainingData } from '../types.js'
import type { Copy } from './groups.js'
import type { Folds } from './types.js'

/** Of one training; what it is trained towards is `slope * target + offset`. */
export interface CopyTargets {
  /** Weight of each class (single), or of a positive label of it (multi). */
  readonly classWeights: Float32Array
  /** [units] each. */
  readonly slope: Float32Array
  readonly offset: Float32Array
  /** Of its regression targets. */
  readonly scale: TargetScale | null
}

export interface TaskTargets {
  readonly units: number
  /** Targets of some rows, [count, units], without anything that differs between trainings. */
  fill(rows: Uint32Array, count: number, into: Float32Array): void
  of(copy: Copy): CopyTargets
  /** The fold of a row. */
  foldOf(row: number): number | null
}

const PLAIN = { labelSmoothing: 0, classWeights: 'none' } as const

/** @param spec of any head. */
export const createTaskTargets = (
  data: TrainingData,
  trainRows: Uint32Array,
  folds: Folds | null,
  spec: PresetSpec,
): TaskTargets => {
  const seen = (fold: number | null): Uint32Array =>
    fold === null || folds === null ? trainRows : trainRows.filter((row) => folds.of[row] !== fold)
  // Equal settings on equal rows have equal targets: hundreds of heads must not count the labels anew.
  const made = new Map<string, StepTargets>()
  const targetsOf = (copy: Pick<Copy, 'spec' | 'fold'>): StepTargets => {
    const key = JSON.stringify([copy.fold, copy.spec.classWeights])
    const found = made.get(key)
    if (found !== undefined) return found
    const targets = createStepTargets(copy.spec, data, seen(copy.fold), true)
    made.set(key, targets)
    return targets
  }
  const shared = createStepTargets({ ...spec, ...PLAIN }, data, trainRows, true)
  const { units, scale } = shared
  const none = new Float32Array(trainRows.length)
  return {
    units,
    fill: (rows, count, into) => {
      const weights = none.subarray(0, count)
      shared.fill(rows, 0, count, { targets: into, weights })
    },
    of: (copy) => {
      const own = targetsOf(copy)
      const slope = new Float32Array(units)
      const offset = new Float32Array(units)
      const smoothing = copy.spec.labelSmoothing
      for (let unit = 0; unit < units; unit += 1) {
        if (own.scale === null || scale === null) {
          slope[unit] = 1 - smoothing
          offset[unit] = smoothing / (data.target.kind === 'single' ? units : 2)
          continue
        }
        const [mean, deviation] = [scale.mean[unit] as number, scale.deviation[unit] as number]
        const ownDeviation = own.scale.deviation[unit] as number
        slope[unit] = deviation / ownDeviation
        offset[unit] = (mean - (own.scale.mean[unit] as number)) / ownDeviation
      }
      return { classWeights: own.classWeights, slope, offset, scale: own.scale }
    },
    foldOf: (row) => (folds === null ? null : (folds.of[row] as number)),
  }
}
