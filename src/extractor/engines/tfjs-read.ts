// Owns reading several layers of a LayersModel in one forward pass. Layers inside a nested model are
// read in a pass of their own: TF.js can only cut a nested model by ending it.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Tfjs } from './tfjs.js'
import { cutInside, type FoundLayer, findLayer } from './tfjs-cut.js'

/** Path of the model that a layer is in; empty for the base itself. */
const placeOf = ({ path, chain }: FoundLayer): string =>
  path.slice(0, path.length - (chain.at(-1)?.name.length ?? 0))

/**
 * @param paths of layers, each once.
 * @returns from a batch of inputs to the outputs of the layers, in the order of `paths`; within a tidy.
 * @throws CUT_NOT_FOUND.
 */
export const readLayersModel = (
  tf: Tfjs,
  model: LayersModel,
  paths: readonly string[],
): ((x: Tensor) => Tensor[]) => {
  const found = paths.map((path) => findLayer(model, path))
  const places = new Map<string, FoundLayer[]>()
  for (const one of found) places.set(placeOf(one), [...(places.get(placeOf(one)) ?? []), one])
  const models = [...places.values()].map((inside) => {
    const around = inside[0]?.chain.slice(0, -1) ?? []
    const layers = inside.flatMap(({ chain }) => chain.slice(-1))
    return { inside, model: cutInside(tf, model, { around, layers }) }
  })
  return (x) => {
    const outputs = new Map<FoundLayer, Tensor>()
    for (const { inside, model: ending } of models) {
      const tensors = [ending.predictOnBatch(x)].flat()
      for (const [index, one] of inside.entries()) outputs.set(one, tensors[index] as Tensor)
    }
    return found.map((one) => outputs.get(one) as Tensor)
  }
}
