import { cp, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readBaseSource } from '../../src/extractor/base/read-source.js'
import { tinyBaseInMemory, writeBase } from '../support/base-files.js'
import { makeFolder } from '../support/folders.js'
import { type FolderServer, serveFolder } from '../support/http-folder.js'
import { FIXTURES } from '../support/onnx-models.js'

const DATA = 'convnet.onnx.data'
const failure = (code: string, said = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(said) as string }) as Error

let folder: string
beforeEach(async () => {
  folder = await makeFolder()
  await cp(join(FIXTURES, 'torch-external'), folder, { recursive: true })
})
const pathOf = (name: string) => join(folder, name)
const filesOf = async (from: string): Promise<string[]> => {
  const { format, files } = await readBaseSource(from)
  return [format, ...files.keys()]
}

describe('an ONNX base on disk', () => {
  it('is read with the files that it names, from its path or from the only one of a folder', async () => {
    for (const from of [pathOf('convnet.onnx'), folder, `${folder}/`])
      expect(await filesOf(from)).toEqual(['onnx', 'model.onnx', DATA])
  })

  it('has its own bytes, whatever it is called', async () => {
    await cp(join(FIXTURES, 'torch.onnx'), pathOf('other.onnx'))
    const { files } = await readBaseSource(pathOf('other.onnx'))
    expect([...files.keys()]).toEqual(['model.onnx'])
  })

  it('beside another one has to be named', async () => {
    await cp(join(FIXTURES, 'torch.onnx'), pathOf('other.onnx'))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_INVALID', '2 ONNX files'))
  })

  it('beside a model.json is not the base of the folder', async () => {
    await writeBase(await tinyBaseInMemory(), folder)
    expect((await filesOf(folder))[0]).toBe('layers-model')
  })

  it('without a file that it names says which', async () => {
    await rm(pathOf(DATA))
    await expect(readBaseSource(folder)).rejects.toThrow(
      failure('BASE_WEIGHTS_INVALID', `${DATA} does not exist`),
    )
  })

  it('whose weights are a link out of the folder is BASE_PATH_UNSAFE', async () => {
    const elsewhere = join(await makeFolder(), 'secret')
    await rename(pathOf(DATA), elsewhere)
    await symlink(elsewhere, pathOf(DATA))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
  })

  it('that is larger than any is BASE_TOO_LARGE, and is not read', async () => {
    await truncate(pathOf(DATA), 3 * 2 ** 30)
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_TOO_LARGE'))
    await truncate(pathOf('convnet.onnx'), 3 * 2 ** 30)
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_TOO_LARGE'))
  })

  it('that is something else is BASE_INVALID', async () => {
    await writeFile(pathOf('convnet.onnx'), 'text')
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_INVALID', 'no ONNX'))
  })
})

describe('an ONNX base on a web server', () => {
  let server: FolderServer | undefined
  afterEach(() => server?.stop())

  it('is read with the files that it names, with the query of its URL', async () => {
    server = await serveFolder(folder)
    const { files } = await readBaseSource(`${server.url}/convnet.onnx?token=abc`)
    expect(files).toEqual((await readBaseSource(folder)).files)
    expect(server.asked).toEqual(['/convnet.onnx?token=abc', `/${DATA}?token=abc`])
  })

  it('without one of them is BASE_DOWNLOAD_FAILED', async () => {
    await rm(pathOf(DATA))
    server = await serveFolder(folder)
    await expect(readBaseSource(`${server.url}/convnet.onnx`)).rejects.toThrow(
      failure('BASE_DOWNLOAD_FAILED', '404'),
    )
  })
})

describe('a SavedModel on disk', () => {
  const put = async (path: string, content = path): Promise<void> => {
    await mkdir(join(pathOf(path), '..'), { recursive: true })
    await writeFile(pathOf(path), content)
  }
  beforeEach(async () => {
    folder = await makeFolder()
    for (const path of [
      'saved_model.pb',
      'variables/variables.index',
      'variables/variables.data-00000-of-00001',
      'assets/words.txt',
      'keras_metadata.pb',
      'notes.txt',
    ])
      await put(path)
  })
  const NEEDED = [
    'saved-model',
    'saved_model.pb',
    'variables/variables.data-00000-of-00001',
    'variables/variables.index',
    'assets/words.txt',
  ]

  it('has the files that are needed to run it, and no others', async () => {
    expect(await filesOf(folder)).toEqual(NEEDED)
    expect(await filesOf(pathOf('saved_model.pb'))).toEqual(NEEDED)
  })

  it('may have neither variables nor assets', async () => {
    await rm(pathOf('variables'), { recursive: true })
    await rm(pathOf('assets'), { recursive: true })
    expect(await filesOf(folder)).toEqual(['saved-model', 'saved_model.pb'])
  })

  it('is not left through a link, neither to a file nor to a folder', async () => {
    const elsewhere = await makeFolder()
    await writeFile(join(elsewhere, 'secret'), 'secret')
    await symlink(join(elsewhere, 'secret'), pathOf('assets/secret'))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
    await rm(pathOf('assets/secret'))
    await symlink(elsewhere, pathOf('assets/more'))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
  })

  it('with too many or too large files is refused', async () => {
    let deep = 'assets'
    for (let i = 0; i < 12; i += 1) deep += '/a'
    await put(`${deep}/file`, 'x')
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_INVALID', 'too many'))
    await rm(pathOf('assets'), { recursive: true })
    await truncate(pathOf('variables/variables.index'), 3 * 2 ** 30)
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_TOO_LARGE'))
  })

  it('with a name that is no plain path is refused', async () => {
    await put('assets/100%.txt')
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
  })
})
