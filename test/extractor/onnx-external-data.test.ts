import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { assembleOnnxBase, MODEL_ONNX } from '../../src/extractor/base/onnx-source.js'
import { assertOnnxModel } from '../../src/extractor/onnx/check.js'
import { externalPathsOf, withExternalData } from '../../src/extractor/onnx/external-data.js'
import {
  changed,
  type OnnxModel,
  parseOnnxModel,
  serialiseOnnxModel,
  withGraph,
} from '../../src/extractor/onnx/model.js'
import { StringStringEntryProtoSchema } from '../../src/extractor/onnx/onnx_pb.js'
import { FIXTURES, onnxModel } from '../support/onnx-models.js'

const DATA = 'convnet.onnx.data'
const FOLDER = join(FIXTURES, 'torch-external')
const bytes = new Uint8Array(readFileSync(join(FOLDER, 'convnet.onnx')))
const data = new Uint8Array(readFileSync(join(FOLDER, DATA)))
const files = new Map([[DATA, data]])
const model = parseOnnxModel(bytes)

/** The model with one entry of the first weight that lies elsewhere replaced, or taken away. */
const withEntry = (key: string, value: string | null): OnnxModel => {
  let done = false
  const initializer = model.graph.initializer.map((tensor) => {
    if (done || tensor.externalData.length === 0) return tensor
    done = true
    const others = tensor.externalData.filter((entry) => entry.key !== key)
    const added = value === null ? [] : [create(StringStringEntryProtoSchema, { key, value })]
    return changed(tensor, { externalData: [...others, ...added] })
  })
  return withGraph(model, { initializer })
}
const failure = (code: string) => expect.objectContaining({ code }) as Error

describe('weights in another file', () => {
  it('are named once for each file', () => {
    expect(externalPathsOf(model)).toEqual([DATA])
    expect(externalPathsOf(onnxModel('torch'))).toEqual([])
  })

  it('become those that torch wrote inside', () => {
    const inside = withExternalData(model, files)
    const weightsOf = ({ graph }: OnnxModel) =>
      new Map(
        graph.initializer.map(({ name, rawData }) => [name, Buffer.from(rawData).toString('hex')]),
      )
    expect(weightsOf(inside)).toEqual(weightsOf(onnxModel('torch')))
    expect(assertOnnxModel(parseOnnxModel(serialiseOnnxModel(inside)))).toBeGreaterThan(2000)
  })

  it('that were not brought inside are refused before anything runs', () => {
    expect(() => assertOnnxModel(model)).toThrow(failure('BASE_WEIGHTS_INVALID'))
  })

  it.each(['../secret', '/etc/passwd', 'a/../../b', 'C:\\weights', 'a//b', '.', ''])(
    'at %j are BASE_PATH_UNSAFE',
    (location) => {
      const unsafe = withEntry('location', location)
      expect(() => externalPathsOf(unsafe)).toThrow(failure('BASE_PATH_UNSAFE'))
      expect(() => withExternalData(unsafe, new Map([...files, [location, data]]))).toThrow(
        failure('BASE_PATH_UNSAFE'),
      )
    },
  )

  it.each([
    ['offset', String(data.length), 'ends at byte'],
    ['offset', '-1', 'has the offset'],
    ['offset', '1e3', 'has the offset'],
    ['offset', '99999999999999999999', 'has the offset'],
    ['length', '4', 'expected'],
    ['length', String(data.length + 1), 'ends at byte'],
    ['location', 'other.data', 'is missing'],
    ['location', null, 'does not name'],
  ])('with the %s %j are refused', (key, value, said) => {
    expect(() => withExternalData(withEntry(key, value), files)).toThrow(
      expect.objectContaining({
        code: 'BASE_WEIGHTS_INVALID',
        message: expect.stringContaining(said) as string,
      }) as Error,
    )
  })

  it('need no length: the shape says it', () => {
    const inside = withExternalData(withEntry('length', null), files)
    expect(assertOnnxModel(inside)).toBe(assertOnnxModel(withExternalData(model, files)))
  })

  it('are part of the id of the base, whatever the order of the files', () => {
    const idOf = (weights: Uint8Array, turned = false): string => {
      const all: [string, Uint8Array][] = [
        [MODEL_ONNX, bytes],
        [DATA, weights],
      ]
      return assembleOnnxBase(new Map(turned ? all.reverse() : all)).baseId
    }
    const other = Uint8Array.from(data)
    other[0] = (other[0] ?? 0) ^ 1
    expect(idOf(data, true)).toBe(idOf(data))
    expect(idOf(other)).not.toBe(idOf(data))
  })
})
