// Bad bases through the command line: refused before anything of them is written or computed.
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failExperiment, failWith, makeSound } from './bad-input.js'
import { keysBelow, storeIn } from './state.js'

interface ModelJson {
  modelTopology: { model_config: { config: { layers: { class_name: string; config: object }[] } } }
  weightsManifest: { paths: string[] }[]
}

/** Changes the base's model.json. */
const changeModel = async (cwd: string, change: (model: ModelJson) => void): Promise<void> => {
  const path = join(cwd, 'base/model.json')
  const model = JSON.parse(await readFile(path, 'utf8')) as ModelJson
  change(model)
  await writeFile(path, JSON.stringify(model))
}

const setPath = (path: string) => (model: ModelJson) => {
  for (const group of model.weightsManifest) group.paths = [path]
}

const cases: [string, string, string | RegExp, (cwd: string) => Promise<void>][] = [
  [
    'with a missing weight file',
    'BASE_WEIGHTS_INVALID',
    'weights.bin',
    (cwd) => rm(join(cwd, 'base/weights.bin')),
  ],
  [
    'with a truncated weight file',
    'BASE_WEIGHTS_INVALID',
    /weights\.bin: 100 bytes found, 512 expected/,
    (cwd) => truncate(join(cwd, 'base/weights.bin'), 100),
  ],
  [
    'with a weight file that is too long',
    'BASE_WEIGHTS_INVALID',
    /513 bytes found, 512 expected/,
    (cwd) => truncate(join(cwd, 'base/weights.bin'), 513),
  ],
  [
    'whose weights are all NaN',
    'BASE_WEIGHTS_INVALID',
    'conv/kernel',
    (cwd) => writeFile(join(cwd, 'base/weights.bin'), Buffer.alloc(512, 0xff)),
  ],
  [
    'whose weights leave the folder',
    'BASE_PATH_UNSAFE',
    '../../weights.bin',
    (cwd) => changeModel(cwd, setPath('../../weights.bin')),
  ],
  [
    'whose weights lie at an absolute path',
    'BASE_PATH_UNSAFE',
    '/etc/passwd',
    (cwd) => changeModel(cwd, setPath('/etc/passwd')),
  ],
  [
    'whose weights lie behind a URL',
    'BASE_PATH_UNSAFE',
    'http://',
    (cwd) => changeModel(cwd, setPath('http://example.com/w.bin')),
  ],
  [
    'with a layer class that nobody knows',
    'BASE_LAYER_UNKNOWN',
    'Wavelet3D',
    (cwd) =>
      changeModel(cwd, (model) => {
        const [, layer] = model.modelTopology.model_config.config.layers
        if (layer !== undefined) layer.class_name = 'Wavelet3D'
      }),
  ],
  [
    'whose model.json is not JSON',
    'BASE_INVALID',
    'not JSON',
    (cwd) => writeFile(join(cwd, 'base/model.json'), '{"format": '),
  ],
  [
    'whose model.json is something else',
    'BASE_INVALID',
    'modelTopology',
    (cwd) => writeFile(join(cwd, 'base/model.json'), '{"name": "package"}'),
  ],
  [
    'whose folder has no model.json',
    'BASE_INVALID',
    'model.json',
    (cwd) => rm(join(cwd, 'base/model.json')),
  ],
  [
    'that does not exist',
    'INPUT_MISSING',
    'base',
    (cwd) => rm(join(cwd, 'base'), { recursive: true }),
  ],
]

describe('a base', () => {
  it.each(cases)('%s: %s', async (_, code, named, spoil) => {
    const cwd = await makeSound()
    await spoil(cwd)
    const failure = await failWith(cwd, ['base', 'add', 'base', '--name', 'broken'])
    expect(failure).toMatchObject({ code, exitCode: 2 })
    expect(failure.all).toMatch(named)
    expect(await keysBelow(storeIn(cwd), '')).toEqual([])
  })

  it('that is broken stops an experiment before anything is computed', async () => {
    const cwd = await makeSound()
    await truncate(join(cwd, 'base/weights.bin'), 100)
    const failure = await failExperiment(cwd)
    expect(failure.code).toBe('BASE_WEIGHTS_INVALID')
    expect(await keysBelow(storeIn(cwd), 'bases/')).toEqual([])
    expect(await keysBelow(storeIn(cwd), 'features/')).toEqual([])
  })
})

describe('a cut', () => {
  it('that does not exist: the error says which are near', async () => {
    const failure = await failExperiment(await makeSound(), { base: { from: 'base', cut: 'pol' } })
    expect(failure).toMatchObject({ code: 'CUT_NOT_FOUND', exitCode: 2 })
    expect(failure.message).toContain('"pol"')
    expect(failure.message).toContain('did you mean "pool"?')
    expect(failure.details).toContain('near: pool')
    expect(failure.remedy).toContain('headstart base layers')
  })
})
