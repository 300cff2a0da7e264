import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config.js'
import { DEFAULT_ENGINE_SETTINGS } from '../src/extractor/engine-settings.js'

describe('the environment says about engines', () => {
  it('nothing: the defaults', () => {
    expect(parseConfig({}).engines).toEqual(DEFAULT_ENGINE_SETTINGS)
  })

  it('a device, a folder as an absolute path, and that SavedModels may run', () => {
    const { engines } = parseConfig({
      HEADSTART_DEVICE: 'cuda:1',
      HEADSTART_TENSORFLOW: 'tf',
      HEADSTART_ALLOW_SAVED_MODELS: '1',
    })
    expect(engines).toEqual({
      device: 'cuda:1',
      tensorflowFolder: resolve('tf'),
      allowSavedModels: true,
    })
  })

  it.each([
    ['HEADSTART_DEVICE', 'gpu'],
    ['HEADSTART_DEVICE', 'cuda:x'],
    ['HEADSTART_TENSORFLOW', ''],
    ['HEADSTART_ALLOW_SAVED_MODELS', 'yes'],
  ])('no %s=%s: the variable is named', (name, value) => {
    expect(() => parseConfig({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: [expect.stringContaining(name) as string],
      }) as Error,
    )
  })
})
