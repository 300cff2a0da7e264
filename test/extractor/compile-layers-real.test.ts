// Real bases with real weights on real images: the features that people cut at, and everything before.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { BASES, findEmoji, prepareBase } from '../../examples/samples/prepare.mjs'
import { compileLayersModel } from '../../src/extractor/compile/layers-model.js'
import { decodeImage } from '../../src/extractor/decode.js'
import { createNormalise } from '../../src/extractor/normalise.js'
import { sha256 } from '../../src/identity/hash.js'
import { makeFolder } from '../support/folders.js'
import { useBackend } from '../support/graph-models.js'
import { imageInput } from '../support/images.js'
import { expectSameAt, loadFolder } from '../support/layers-models.js'

beforeAll(() => useBackend('wasm'))

/** One emoji of two classes, as the base takes them: [2, side, side, 3], 0 to 1. */
const emoji = async (side: number): Promise<{ x: Float32Array; shape: number[] }> => {
  const files = [...(await findEmoji(1)).values()].flat().slice(0, 2)
  const input = imageInput({ size: [side, side], scale: [1 / 255, 1 / 255, 1 / 255] })
  const normalise = createNormalise(input)
  const x = new Float32Array(files.length * side * side * 3)
  for (const [i, file] of files.entries()) {
    const content = await readFile(file)
    const pixels = await decodeImage(content, sha256(content), input, { kind: 'plain' })
    x.set(normalise(pixels), i * side * side * 3)
  }
  return { x, shape: [files.length, side, side, 3] }
}

describe.each([
  { name: 'mobilenet_v2', side: 224, cuts: ['Conv1_relu', 'block_8_add', 'flatten_1'] },
  { name: 'inception_v3', side: 299, cuts: ['mixed5', 'mixed10', 'flatten_1'] },
] as const)('the real $name', ({ name, side, cuts }) => {
  it('gives the features of TF.js, from its first layers to its last', async () => {
    expect(BASES).toContain(name)
    const folder = join(await makeFolder(), 'base')
    await prepareBase(name, folder)
    const model = await loadFolder(folder)
    const compiled = await compileLayersModel(model)
    expect(compiled.unsupported).toEqual([])
    const input = await emoji(side)
    for (const cut of [...cuts, compiled.cuts.at(-1) ?? '']) {
      const { values } = await expectSameAt({ model, compiled }, cut, input)
      expect(new Set(values).size, cut).toBeGreaterThan(4)
    }
    model.dispose()
  })
})
