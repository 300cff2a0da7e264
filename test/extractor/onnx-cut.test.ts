import { describe, expect, it } from 'vitest'
import { cutGraph } from '../../src/extractor/onnx/cut.js'
import { type OnnxModel, serialiseOnnxModel } from '../../src/extractor/onnx/model.js'
import { onnxModel } from '../support/onnx-models.js'

const opsOf = ({ graph }: OnnxModel): string[] => graph.node.map(({ opType }) => opType)
const namesOf = (values: readonly { readonly name: string }[]): string[] =>
  values.map(({ name }) => name).sort()

describe('a cut graph', () => {
  it('has one output, and only what feeds it', () => {
    const { graph } = cutGraph(onnxModel('torch'), 'relu6')
    expect(namesOf(graph.output)).toEqual(['relu6'])
    expect(graph.node.map(({ opType }) => opType)).toEqual(['Conv', 'Relu', 'Conv', 'Clip'])
    const weights = namesOf(graph.initializer)
    expect(weights).toContain('block.depthwise.weight')
    expect(weights).not.toContain('block.pointwise.weight')
    const read = new Set(graph.node.flatMap(({ input }) => input))
    expect(weights.filter((name) => !read.has(name))).toEqual([])
  })

  it('keeps what only the branches of an If read, and drops what nothing reads', () => {
    const cut = cutGraph(onnxModel('branches'), 'out')
    expect(opsOf(cut)).toEqual(['Mul', 'If', 'Relu'])
    expect(namesOf(cut.graph.initializer)).toEqual(['condition', 'factor'])
  })

  it('at an inner tensor of an If does not exist', () => {
    expect(() => cutGraph(onnxModel('branches'), 'then')).toThrow(
      expect.objectContaining({ code: 'CUT_NOT_FOUND' }) as Error,
    )
  })

  it.each(['', 'none', 'images', 'stem.weight'])('at %j is CUT_NOT_FOUND', (name) => {
    expect(() => cutGraph(onnxModel('torch'), name)).toThrow(
      expect.objectContaining({ code: 'CUT_NOT_FOUND' }) as Error,
    )
  })

  it('leaves the model that was given as it was', () => {
    const model = onnxModel('torch')
    const before = serialiseOnnxModel(model)
    cutGraph(model, 'relu6')
    expect(serialiseOnnxModel(model)).toEqual(before)
  })
})
