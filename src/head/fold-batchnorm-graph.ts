// Owns a flat LayersModel as data, while layers are taken out of it or replaced: who reads what, where the
// weights are. Refuses nothing; knows no arithmetic.
import type { HeadArtifacts } from './types.js'

/** Layer, which of its uses, which of its outputs, further arguments of the call. */
export type Reference = readonly [string, number, number, Readonly<Record<string, unknown>>?]

export interface LayerJson {
  readonly name: string
  readonly class_name: string
  readonly config: Readonly<Record<string, unknown>>
  /** One list of inputs for each use of the layer. */
  readonly inbound_nodes: readonly (readonly Reference[])[]
}

export interface Weight {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** One place where the output of a layer is read. */
export interface Reader {
  /** Null: it is an output of the model. */
  readonly layer: LayerJson | null
  readonly use: number
  /** Which use of the layer is read. */
  readonly reads: number
}

interface Topology {
  readonly config: {
    readonly layers: readonly LayerJson[]
    readonly output_layers: readonly Reference[]
  }
}

export interface EditableGraph {
  layers(): readonly LayerJson[]
  layer(name: string): LayerJson | undefined
  readersOf(name: string): Reader[]
  /** Puts others where the layer was; none: it is gone. */
  replace(name: string, others: readonly LayerJson[]): void
  /** Whoever read use i of a layer reads what `to` says instead, the layers in `but` excepted. */
  redirect(from: string, to: (use: number) => Reference, but?: readonly string[]): void
  uniqueName(wanted: string): string
  weight(layer: string, name: string): Weight | undefined
  setWeight(layer: string, name: string, weight: Weight): void
  dropWeights(layer: string): void
  /** The model as it is now. */
  artifacts(): HeadArtifacts
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

const readWeights = ({ weightSpecs, weights }: HeadArtifacts): Map<string, Weight> => {
  const all = new Float32Array(weights.slice().buffer)
  const found = new Map<string, Weight>()
  let offset = 0
  for (const { name, shape } of weightSpecs) {
    const values = all.subarray(offset, offset + sizeOf(shape))
    found.set(name, { shape, values })
    offset += values.length
  }
  return found
}

const redirected = (
  [name, use, output, args]: Reference,
  from: string,
  to: (use: number) => Reference,
): Reference => {
  if (name !== from) return args === undefined ? [name, use, output] : [name, use, output, args]
  const [newName, newUse, newOutput] = to(use)
  return args === undefined ? [newName, newUse, newOutput] : [newName, newUse, newOutput, args]
}

/** Copies what it changes: the artifacts that are given stay as they are. */
export const editGraph = (artifacts: HeadArtifacts): EditableGraph => {
  const topology = artifacts.topology as Topology
  let layers = [...topology.config.layers]
  let outputs = [...topology.config.output_layers]
  const weights = readWeights(artifacts)

  return {
    layers: () => layers,
    layer: (name) => layers.find((layer) => layer.name === name),
    readersOf: (name) => [
      ...layers.flatMap((layer) =>
        layer.inbound_nodes.flatMap((inputs, use) =>
          inputs
            .filter(([read]) => read === name)
            .map(([, reads]): Reader => ({ layer, use, reads })),
        ),
      ),
      ...outputs
        .filter(([read]) => read === name)
        .map(([, reads]): Reader => ({ layer: null, use: 0, reads })),
    ],
    replace: (name, others) => {
      layers = layers.flatMap((layer) => (layer.name === name ? others : [layer]))
    },
    redirect: (from, to, but = []) => {
      layers = layers.map((layer) =>
        but.includes(layer.name)
          ? layer
          : {
              ...layer,
              inbound_nodes: layer.inbound_nodes.map((inputs) =>
                inputs.map((reference) => redirected(reference, from, to)),
              ),
            },
      )
      outputs = outputs.map((reference) => redirected(reference, from, to))
    },
    uniqueName: (wanted) => {
      const taken = new Set(layers.map(({ name }) => name))
      let name = wanted
      for (let n = 1; taken.has(name); n += 1) name = `${wanted}_${n}`
      return name
    },
    weight: (layer, name) => weights.get(`${layer}/${name}`),
    setWeight: (layer, name, weight) => {
      weights.set(`${layer}/${name}`, weight)
    },
    dropWeights: (layer) => {
      for (const name of [...weights.keys()])
        if (name.slice(0, name.lastIndexOf('/')) === layer) weights.delete(name)
    },
    artifacts: () => ({
      topology: { ...topology, config: { ...topology.config, layers, output_layers: outputs } },
      weightSpecs: [...weights].map(([name, { shape }]) => ({
        name,
        shape: [...shape],
        dtype: 'float32' as const,
      })),
      weights: new Uint8Array(
        Buffer.concat(
          [...weights.values()].map(({ values }) =>
            Buffer.from(values.buffer, values.byteOffset, values.byteLength),
          ),
        ),
      ),
    }),
  }
}
