import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SavedModelBase } from '../../src/extractor/base/loaded-base.js'
import { withSavedModelFolder } from '../../src/extractor/engines/saved-model-folder.js'
import { sha256 } from '../../src/identity/hash.js'

const shared = (text: string): Uint8Array<SharedArrayBuffer> => {
  const bytes = new Uint8Array(new SharedArrayBuffer(text.length))
  bytes.set(Buffer.from(text))
  return bytes
}

const baseOf = (files: Readonly<Record<string, string>>): SavedModelBase => ({
  baseId: sha256('a base'),
  format: 'saved-model',
  files: new Map(Object.entries(files).map(([path, text]) => [path, shared(text)])),
})

const FILES = { 'saved_model.pb': 'graph', 'variables/variables.index': 'index' }
const isGone = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    () => true,
  )

describe('the files of a SavedModel', () => {
  it('lie in a folder of this user alone, and are gone afterwards', async () => {
    let seen = ''
    const found = await withSavedModelFolder(baseOf(FILES), async (folder) => {
      seen = folder
      expect((await stat(folder)).mode & 0o777).toBe(0o700)
      expect((await stat(join(folder, 'saved_model.pb'))).mode & 0o777).toBe(0o600)
      return readFile(join(folder, 'variables/variables.index'), 'utf8')
    })
    expect(found).toBe('index')
    expect(await isGone(seen)).toBe(true)
  })

  it('are gone when loading them fails', async () => {
    let seen = ''
    const work = async (folder: string): Promise<never> => {
      seen = folder
      throw new Error('not loaded')
    }
    await expect(withSavedModelFolder(baseOf(FILES), work)).rejects.toThrow('not loaded')
    expect(seen).not.toBe('')
    expect(await isGone(seen)).toBe(true)
  })

  it.each(['../outside', '/etc/outside', 'a/../../outside', ''])(
    'never leave it: %j',
    async (path) => {
      let called = false
      const work = async (): Promise<void> => {
        called = true
      }
      await expect(
        withSavedModelFolder(baseOf({ ...FILES, [path]: 'x' }), work),
      ).rejects.toMatchObject({ code: 'BASE_PATH_UNSAFE' })
      expect(called).toBe(false)
    },
  )
})
