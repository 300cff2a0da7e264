// Owns repeatable dropout: each Dropout layer gets a seed for each step, and its own seed back after.
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { layersOf } from './layers-of.js'
import { createRandom } from './random.js'

interface Seeded {
  seed: number | undefined
}

const DROPOUT_CLASSES = new Set(['Dropout', 'SpatialDropout1D'])

export interface DropoutSeeds {
  /** Masks of the coming step: a function of (seed, step, layer). */
  set(step: number): void
  /** Gives the layers the seeds of their configuration back, for publishing. */
  restore(): void
}

export const createDropoutSeeds = (model: LayersModel, seed: number): DropoutSeeds => {
  const found = layersOf(model).filter((layer) =>
    DROPOUT_CLASSES.has(layer.getClassName()),
  ) as unknown as Seeded[]
  const configured = found.map((layer) => layer.seed)
  return {
    set: (step) => {
      for (const [index, layer] of found.entries()) {
        layer.seed = createRandom(seed, 'dropout', step, index).uint32()
      }
    },
    restore: () => {
      for (const [index, layer] of found.entries()) layer.seed = configured[index]
    },
  }
}
