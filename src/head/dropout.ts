// Owns repeatable dropout: each Dropout layer gets a seed for each step, and its own seed back after.
import type { LayersModel, layers } from '@tensorflow/tfjs-layers'
import { createRandom } from './random.js'

type Layer = layers.Layer

interface Seeded {
  seed: number | undefined
}

interface Holder {
  readonly layers?: readonly Layer[]
  readonly layer?: Layer
}

const DROPOUT_CLASSES = new Set(['Dropout', 'SpatialDropout1D'])

/** Dropout layers in order, those in nested models and wrappers too. */
const dropoutLayers = (holder: Holder): Layer[] =>
  [...(holder.layers ?? []), ...(holder.layer === undefined ? [] : [holder.layer])].flatMap(
    (layer) =>
      DROPOUT_CLASSES.has(layer.getClassName())
        ? [layer]
        : dropoutLayers(layer as unknown as Holder),
  )

export interface DropoutSeeds {
  /** Masks of the coming step: a function of (seed, step, layer). */
  set(step: number): void
  /** Gives the layers the seeds of their configuration back, for publishing. */
  restore(): void
}

export const createDropoutSeeds = (model: LayersModel, seed: number): DropoutSeeds => {
  const found = dropoutLayers(model as unknown as Holder) as unknown as Seeded[]
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
