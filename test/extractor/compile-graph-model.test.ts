// What the compiler of GraphModels takes for inputs, outputs and cuts, and the file that it writes.
import { beforeAll, describe, expect, it } from 'vitest'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import { graphInputOf } from '../../src/extractor/onnx/graph-input.js'
import { parseOnnxModel } from '../../src/extractor/onnx/model.js'
import { graphBaseInMemory } from '../support/base-files.js'
import {
  attr,
  cutsOfTfjs,
  expectSameAsTfjs,
  graphBase,
  int,
  type NodeJson,
  noise,
  useBackend,
} from '../support/graph-models.js'

const relu = (name: string, ...input: string[]): NodeJson => ({ name, op: 'Relu', input })

const smallBase = (side?: number) => {
  const { model, weights } = graphBaseInMemory(side)
  const [path = ''] = model.weightsManifest.flatMap(({ paths }) => paths)
  return assembleTfjsBase(
    parseModelJson(Buffer.from(JSON.stringify(model))),
    new Map([[path, weights]]),
  )
}

const outputsOf = (bytes: Uint8Array): string[] =>
  parseOnnxModel(bytes).graph.output.map(({ name }) => name)

describe('the compiled form of a GraphModel', () => {
  beforeAll(() => useBackend('wasm'))

  it.each([
    ['of one size', 8, 8],
    ['of any size', -1, 11],
  ])('%s gives what TF.js gives at every cut', async (_, side, used) => {
    const base = smallBase(side)
    const shape = [3, used, used, 3]
    const { compiled } = await expectSameAsTfjs(base, noise(9 * used * used), shape)
    expect(new Set(compiled.cuts)).toEqual(new Set(await cutsOfTfjs(base)))
    const { name, batch, shape: sides } = graphInputOf(parseOnnxModel(compiled.bytes))
    const open = side === -1 ? null : side
    expect({ name, batch, sides }).toEqual({ name: 'input', batch: null, sides: [open, open, 3] })
  })

  it('is the same bytes each time', async () => {
    const [a, b] = [await compileGraphModel(smallBase()), await compileGraphModel(smallBase())]
    expect(Buffer.from(a.bytes).equals(b.bytes)).toBe(true)
  })

  it('has the nodes that nothing reads for outputs, an Identity among them', async () => {
    const base = graphBase({
      input: [-1, 4],
      nodes: [relu('a', 'x'), { name: 'end', op: 'Identity', input: ['a'] }],
    })
    const { compiled } = await expectSameAsTfjs(base, noise(8), [2, 4])
    expect(new Set(compiled.cuts)).toEqual(new Set(['a', 'end']))
    expect(outputsOf(compiled.bytes)).toEqual(['end'])
  })

  it('has the outputs of its signature, and takes the input from there', async () => {
    const base = graphBase({
      input: [-1, 4],
      nodes: [
        relu('a', 'x:0'),
        { name: 'middle', op: 'Identity', input: ['a'] },
        relu('b', 'middle', '^a'),
        { name: 'phase', op: 'Placeholder', attr: { dtype: attr.type('DT_BOOL') } },
      ],
      signature: { inputs: { image: { name: 'x:0' } }, outputs: { out: { name: 'middle:0' } } },
    })
    const compiled = await compileGraphModel(base)
    expect(new Set(compiled.cuts)).toEqual(new Set(['a', 'middle', 'b']))
    expect(outputsOf(compiled.bytes)).toEqual(['middle'])
    expect(compiled.unsupported).toEqual([{ path: 'phase', className: 'Placeholder' }])
  })

  it('ends at its last cut where the output of the base has no counterpart', async () => {
    const base = graphBase({
      input: [-1, 4],
      nodes: [relu('a', 'x'), { name: 'end', op: 'Magic', input: ['a'] }],
    })
    const { cuts, unsupported, bytes } = await compileGraphModel(base)
    expect(cuts).toEqual(['a'])
    expect(unsupported).toEqual([{ path: 'end', className: 'Magic' }])
    expect(outputsOf(bytes)).toEqual(['a'])
  })

  it('takes no weight that nothing uses, and does not mind its type', async () => {
    const base = graphBase({
      input: [-1, 4],
      weights: { flag: { shape: [], dtype: 'bool', values: [1] }, unused: { shape: [1000] } },
      nodes: [relu('a', 'x')],
    })
    const { unsupported, bytes } = await compileGraphModel(base)
    expect(unsupported).toEqual([])
    expect(parseOnnxModel(bytes).graph.initializer).toEqual([])
  })

  it('keeps names apart: nodes that are called like what the compiler writes', async () => {
    const base = graphBase({
      input: [-1, 4, 4, 2],
      weights: { kernel: { shape: [1, 1, 2, 3] }, axis: int(3) },
      nodes: [
        {
          name: 'y',
          op: 'Conv2D',
          input: ['x', 'kernel'],
          attr: {
            strides: attr.ints(1, 1, 1, 1),
            padding: attr.text('SAME'),
            dilations: attr.ints(1, 1, 1, 1),
          },
        },
        relu('y/Conv', 'y'),
        relu('Identity', 'y/Conv'),
        relu('ints', 'Identity'),
        {
          name: 'kernel/Conv',
          op: 'ConcatV2',
          input: ['ints', 'y', 'axis'],
          attr: { N: attr.int(2) },
        },
      ],
    })
    const { compiled } = await expectSameAsTfjs(base, noise(64), [2, 4, 4, 2])
    expect(compiled.cuts).toHaveLength(5)
  })
})
