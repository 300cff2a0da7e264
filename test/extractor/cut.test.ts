import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadTfjsModel } from '../../src/extractor/engines/tfjs.js'
import { cutLayersModel, listLayerCuts } from '../../src/extractor/engines/tfjs-cut.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { BASES, baseOf, fillWeights, freeWeights, randomValues } from '../head/models.js'

const tf = { core, layers, converter }

beforeAll(ensureHeadBackend)

type Layer = layers.LayersModel['layers'][number]
const inner = (model: layers.LayersModel, path: string): Layer => {
  const [name, ...rest] = path.split('/')
  const layer = model.layers.find((candidate) => candidate.name === name)
  if (layer === undefined) throw new Error(`no layer ${name}`)
  return rest.length === 0 ? layer : inner(layer as unknown as layers.LayersModel, rest.join('/'))
}

/** The layers at the paths, called on tensors by hand, one after another. */
const chain = (model: layers.LayersModel, x: core.Tensor, paths: readonly string[]) =>
  paths.reduce((value, path) => inner(model, path).apply(value) as core.Tensor, x)

const loadBase = async (name: keyof typeof BASES): Promise<layers.LayersModel> => {
  const loaded = await loadTfjsModel(tf, await baseOf(fillWeights(BASES[name](), name)))
  if (loaded.format !== 'layers-model') throw new Error('no LayersModel')
  return loaded.model
}

const input = () => core.tensor(randomValues(2 * 8 * 8 * 3, 'x'), [2, 8, 8, 3])

describe('a cut computes what the layers before it compute by hand', () => {
  it.each<[keyof typeof BASES, string, readonly string[]]>([
    ['flat', 'act', ['conv', 'bn', 'act']],
    ['flat', 'gap', ['conv', 'bn', 'act', 'gap']],
    ['flat', 'dense', ['conv', 'bn', 'act', 'gap', 'dense']],
    ['nestedFirst', 'inner', ['inner']],
    ['nestedFirst', 'flatten', ['inner', 'flatten']],
    ['nestedFirst', 'inner/inner_conv', ['inner/inner_conv']],
    ['nestedFirst', 'inner/inner_bn', ['inner/inner_conv', 'inner/inner_bn']],
    ['nestedMiddle', 'model1', ['model1']],
    ['nestedMiddle', 'model1/model1_bn', ['model1/model1_conv', 'model1/model1_bn']],
    ['nestedMiddle', 'model2', ['model1', 'between', 'model2']],
    ['nestedMiddle', 'model2/model2_conv', ['model1', 'between', 'model2/model2_conv']],
    ['nestedMiddle', 'last', ['model1', 'between', 'model2', 'last']],
    ['nestedTwice', 'outer', ['stem', 'outer']],
    ['nestedTwice', 'outer/deep', ['stem', 'outer/pre', 'outer/deep']],
    [
      'nestedTwice',
      'outer/deep/deep_bn',
      ['stem', 'outer/pre', 'outer/deep/deep_conv', 'outer/deep/deep_bn'],
    ],
    ['nestedTwice', 'outer/post', ['stem', 'outer/pre', 'outer/deep', 'outer/post']],
    ['sequentialFirst', 'body', ['body']],
    ['sequentialFirst', 'body/n1', ['body/c1', 'body/n1']],
    ['sequentialFirst', 'c2', ['body', 'c2']],
    ['sequentialMiddle', 'c1', ['c1']],
    ['sequentialMiddle', 'body', ['c1', 'body']],
    ['sequentialMiddle', 'body/core', ['c1', 'body/core']],
    ['sequentialMiddle', 'body/core/c2', ['c1', 'body/core/c2']],
    ['sequentialMiddle', 'body/part', ['c1', 'body/core', 'body/part']],
    ['sequentialMiddle', 'body/part/part_conv', ['c1', 'body/core', 'body/part/part_conv']],
    ['sequentialMiddle', 'r3', ['c1', 'body', 'r3']],
    ['shared', 'once', ['once']],
    ['shared', 'tower/tower_bn', ['once', 'tower/tower_conv', 'tower/tower_bn']],
    ['towers', 'right/relu', ['right/right_conv', 'right/relu']],
  ])('%s at %s', async (name, path, paths) => {
    const model = await loadBase(name)
    const listed = listLayerCuts(model).find((cut) => cut.path === path)
    const cut = cutLayersModel(tf, model, path)
    const x = input()
    const [actual, expected] = core.tidy(() => [
      cut.predictOnBatch(x) as core.Tensor,
      chain(model, x, paths),
    ]) as [core.Tensor, core.Tensor]
    expect(actual.shape.slice(1)).toEqual(listed?.shape)
    expect(actual.dataSync()).toEqual(expected.dataSync())
    expect(new Set(actual.dataSync()).size).toBeGreaterThan(4)
    core.dispose([x, actual, expected])
    freeWeights(model)
  })

  it('gives every listed cut of every base the listed shape', async () => {
    for (const name of Object.keys(BASES) as (keyof typeof BASES)[]) {
      const { numTensors } = core.memory()
      const model = await loadBase(name)
      const x = input()
      const cuts = listLayerCuts(model)
      expect(cuts.length).toBeGreaterThan(2)
      for (const { path, shape } of cuts) {
        const y = cutLayersModel(tf, model, path).predictOnBatch(x) as core.Tensor
        expect([name, path, y.shape.slice(1)]).toEqual([name, path, shape])
        y.dispose()
      }
      x.dispose()
      freeWeights(model)
      expect(core.memory().numTensors).toBe(numTensors)
    }
  })

  it('keeps the whole function of a base with branches and shared layers at its last layer', async () => {
    for (const [name, path] of [
      ['residual', 'out'],
      ['shared', 'end'],
      ['towers', 'relu'],
    ] as const) {
      const model = await loadBase(name)
      const x = input()
      const whole = model.predictOnBatch(x) as core.Tensor
      const cut = cutLayersModel(tf, model, path).predictOnBatch(x) as core.Tensor
      expect(cut.dataSync()).toEqual(whole.dataSync())
      core.dispose([x, whole, cut])
      freeWeights(model)
    }
  })

  it('cuts a Sequential that was never built', async () => {
    const model = await loadBase('sequentialMiddle')
    expect(model.built).toBe(false)
    expect(cutLayersModel(tf, model, 'body').outputs[0]?.shape).toEqual([null, 8, 8, 6])
    freeWeights(model)
  })

  it('takes no name that a layer of the base has', async () => {
    const x = layers.input({ shape: [2] })
    const made = layers.model({ inputs: x, outputs: x }).name
    // The names that TF.js would make up next.
    const [first, second] = [1, 2].map((n) => made.replace(/\d+$/, (d) => String(Number(d) + n)))
    const nested = (name: string | undefined) =>
      layers.sequential({
        ...(name === undefined ? {} : { name }),
        layers: [layers.layers.dense({ units: 2, inputShape: [2], name: `${name}_dense` })],
      }) as Layer
    const stack = [nested(first), nested(second), nested('target')]
    const y = stack.reduce((value, layer) => layer.apply(value) as layers.SymbolicTensor, x)
    const model = layers.model({ inputs: x, outputs: y, name: 'base' })
    const cut = cutLayersModel(tf, model, 'target/target_dense')
    expect(cut.layers.slice(1).map(({ name }) => name)).toEqual([first, second, 'target'])
    freeWeights(model)
  })

  it('names the path that does not exist', async () => {
    const model = await loadBase('flat')
    expect(() => cutLayersModel(tf, model, 'conv/x')).toThrow(/conv\/x/)
    freeWeights(model)
  })
})
