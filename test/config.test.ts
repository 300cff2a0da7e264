import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config.js'
import { DEFAULT_ENGINE_SETTINGS } from '../src/extractor/engine-settings.js'

describe('the environment says about memory', () => {
  it.each([
    ['4GB', 4e9],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['512mib', 2 ** 29],
    ['1600000000', 1.6e9],
    ['7B', 7],
  ])('%s', (text, bytes) => {
    expect(parseConfig({ HEADSTART_MEMORY: text }).memoryBytes).toBe(bytes)
  })

  it('nothing: the workspace decides', () => {
    expect(parseConfig({}).memoryBytes).toBeUndefined()
  })

  it.each(['', '0', '0.4B', '-1GB', '4XB', '4 G B', 'GB', '1e9', '99999999TB', 'Infinity', '٤GB'])(
    'not "%s": the variable is named',
    (text) => {
      expect(() => parseConfig({ HEADSTART_MEMORY: text })).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          details: [expect.stringMatching(/^HEADSTART_MEMORY: /) as string],
        }) as Error,
      )
    },
  )
})

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
