// Owns the contract of stage 2: what goes into a training and what comes out.
import type { Split, Target } from '../dataset/types.js'
import type { FeatureSource } from '../features/feature-source.js'

/** Features joined with labels, row by row. Borrowed: training never writes to it. */
export interface TrainingData {
  readonly features: FeatureSource
  readonly rows: number
  /** Product of featureShape. */
  readonly width: number
  /** The real shape of one feature, e.g. [1280] or [7, 7, 320]. */
  readonly featureShape: readonly number[]
  readonly target: Target
  /** As in Sample.label. */
  readonly labels: readonly (readonly number[])[]
  readonly splits: readonly Split[]
}

/** Metrics of one split. Fractions are 0..1; loss is the mean per sample without the L2 term. */
export type SplitMetrics =
  | {
      readonly kind: 'single'
      readonly samples: number
      readonly loss: number
      readonly accuracy: number
      readonly top5Accuracy: number
      readonly macroF1: number
      readonly perClass: readonly ClassMetrics[]
      /** [actual][predicted], counts. */
      readonly confusion: readonly (readonly number[])[]
    }
  | {
      readonly kind: 'multi'
      readonly samples: number
      readonly loss: number
      /** Fraction of samples with every label right at threshold 0.5. */
      readonly accuracy: number
      readonly macroF1: number
      readonly perClass: readonly ClassMetrics[]
      /** Per class [[trueNegative, falsePositive], [falseNegative, truePositive]], counts. */
      readonly confusion: readonly (readonly (readonly number[])[])[]
    }
  | {
      readonly kind: 'regression'
      readonly samples: number
      readonly loss: number
      /** Means over the outputs, in the target's units. */
      readonly mae: number
      readonly rmse: number
      readonly r2: number
      readonly perOutput: readonly {
        readonly name: string
        readonly mae: number
        readonly rmse: number
        readonly r2: number
      }[]
    }

export interface ClassMetrics {
  readonly name: string
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** Samples of the split that have this class. */
  readonly support: number
}

/** One value an epoch; `null` where the split has no sample. */
export interface EpochMetrics {
  /** Counts from 1. */
  readonly epoch: number
  readonly train: { readonly loss: number; readonly score: number }
  readonly validation: { readonly loss: number; readonly score: number } | null
}

/** A TF.js LayersModel: its model.json topology and its weights, whole and serialisable. */
export interface HeadArtifacts {
  /** `modelTopology` of a TF.js LayersModel. */
  readonly topology: unknown
  /** TF.js weight specs (float32), in order. */
  readonly weightSpecs: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly dtype: 'float32'
  }[]
  /** Little-endian float32, concatenated in the order of weightSpecs. */
  readonly weights: Uint8Array
}

export interface TrainedHead {
  readonly artifacts: HeadArtifacts
  readonly history: readonly EpochMetrics[]
  /** The epoch whose weights were kept. */
  readonly bestEpoch: number
  readonly stoppedEarly: boolean
  /** Of train and, where it has samples, validation; the test split is for whoever reads it once. */
  readonly metrics: Readonly<Partial<Record<Split, SplitMetrics>>>
  /** Null where the head has no BatchNormalization. */
  readonly batchNormalization: BatchNormalizationModes | null
}

/** The train split at the kept weights in both modes; far apart, the moving statistics are not what was trained. */
export interface BatchNormalizationModes {
  /** BatchNormalization layers of the head. */
  readonly layers: number
  /** With the statistics of batches of `batchSize` rows; no dropout, and nothing is updated. */
  readonly trainingMode: { readonly loss: number; readonly score: number }
  /** With the moving statistics, as it is served. */
  readonly inferenceMode: { readonly loss: number; readonly score: number }
}
