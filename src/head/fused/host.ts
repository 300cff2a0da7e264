// Owns the contract between a training and those who compute for it: plain data, so that a host may be this
// thread or another one.
import type { PresetSpec } from '../spec.js'
import type { GraphShape } from './graph.js'
import type { LayerShape } from './layers.js'

/** Everything that steps of one group need. Arrays may lie in shared memory. */
export interface GroupOrder {
  readonly id: number
  readonly graph: GraphShape
  readonly layers: readonly LayerShape[]
  readonly dropout: number
  readonly optimizer: 'adam' | 'sgd'
  /** Of each head, like the arrays below. */
  readonly specs: readonly PresetSpec[]
  /** The fold that a head does not see, or -1. */
  readonly folds: readonly number[]
  /** What a head is trained towards is slope * target + offset: [heads, units] each. */
  readonly slope: Float32Array
  readonly offset: Float32Array
  /** Weight of each class (single), or of a positive label of it (multi), [heads, units]. */
  readonly classWeights: Float32Array
  readonly batchSize: number
  /** Of the dropout masks. */
  readonly seed: number
  /** Weights and moments: taken over when the group is opened, brought up to date by `store`. */
  readonly state: Float32Array
}

/** Rows of several steps, in order. Not written to while a host computes. */
export interface StepBlock {
  readonly count: number
  /** [count, width] */
  readonly features: Float32Array
  /** Without anything that differs between heads, [count, units]. */
  readonly targets: Float32Array
  /** The class of each row; only for targets of a single class. */
  readonly classes: Int32Array
  /** The fold of each row, or -1. */
  readonly folds: Int32Array
}

/** Computes for groups, one request at a time, in their order. Every method throws ENGINE_FAILED. */
export interface GroupHost {
  open(order: GroupOrder): Promise<void>
  close(ids: readonly number[]): Promise<void>
  /** All steps of a block, group by group. @param first counts from 0. @throws INTERRUPTED */
  train(ids: readonly number[], block: StepBlock, first: number): Promise<void>
  /**
   * Probabilities, or values of standardised targets.
   *
   * @param features [count, width]
   * @param into one a group, [count, heads, units] or longer.
   */
  predict(
    ids: readonly number[],
    features: Float32Array,
    count: number,
    into: readonly Float32Array[],
  ): Promise<void>
  store(ids: readonly number[]): Promise<void>
  /** Call it when nothing is under way. */
  end(): Promise<void>
}
