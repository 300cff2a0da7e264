import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MAX_MODEL_JSON_BYTES } from '../../src/extractor/base/limits.js'
import { readBaseSource } from '../../src/extractor/base/read-source.js'
import { type EditableBase, tinyBaseInMemory, writeBase } from '../support/base-files.js'
import { makeFolder, until } from '../support/folders.js'
import { type Answer, type FolderServer, serveFolder } from '../support/http-folder.js'

let tiny: EditableBase
let folder: string
beforeEach(async () => {
  tiny = await tinyBaseInMemory()
  folder = await writeBase(tiny)
})

const pathOf = (name: string) => join(folder, name)
const withPath = (path: string): EditableBase['model'] => ({
  ...tiny.model,
  weightsManifest: tiny.model.weightsManifest.map((group) => ({ ...group, paths: [path] })),
})
const failure = (code: string) => expect.objectContaining({ name: 'HeadstartError', code }) as Error

describe('a base on disk', () => {
  it('is read from its folder and from its model.json', async () => {
    for (const from of [folder, `${folder}/`, pathOf('model.json')]) {
      const { files } = await readBaseSource(from)
      expect([...files.keys()]).toEqual(['model.json', 'weights.bin'])
      expect(Buffer.from(files.get('weights.bin') ?? []).equals(tiny.weights)).toBe(true)
    }
  })

  it('may call its model.json otherwise', async () => {
    await writeFile(pathOf('tiny.json'), await readFile(pathOf('model.json')))
    await rm(pathOf('model.json'))
    expect([...(await readBaseSource(pathOf('tiny.json'))).files.keys()]).toContain('model.json')
  })

  it('may keep its weights in folders below', async () => {
    const deep = await writeBase({ ...tiny, model: withPath('a/b/weights.bin') })
    expect((await readBaseSource(deep)).files.get('a/b/weights.bin')).toHaveLength(
      tiny.weights.length,
    )
  })

  it('that is not there is INPUT_MISSING', async () => {
    for (const from of [pathOf('none'), pathOf('none/model.json'), pathOf('none.json')])
      await expect(readBaseSource(from)).rejects.toThrow(failure('INPUT_MISSING'))
  })

  it('without a model.json is BASE_INVALID', async () => {
    await expect(readBaseSource(await makeFolder())).rejects.toThrow(failure('BASE_INVALID'))
  })

  it('with a weight file missing says which', async () => {
    await rm(pathOf('weights.bin'))
    await expect(readBaseSource(folder)).rejects.toMatchObject({
      code: 'BASE_WEIGHTS_INVALID',
      message: expect.stringContaining('weights.bin does not exist') as string,
    })
  })

  it('whose weight file is a folder or a named pipe is refused without waiting for it', async () => {
    await rm(pathOf('weights.bin'))
    await mkdir(pathOf('weights.bin'))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_WEIGHTS_INVALID'))
    await rm(pathOf('weights.bin'), { recursive: true })
    execFileSync('mkfifo', [pathOf('weights.bin')])
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_WEIGHTS_INVALID'))
  })

  it('whose weights are a link out of the folder is BASE_PATH_UNSAFE', async () => {
    const elsewhere = await makeFolder()
    await writeFile(join(elsewhere, 'secret'), tiny.weights)
    await rm(pathOf('weights.bin'))
    await symlink(join(elsewhere, 'secret'), pathOf('weights.bin'))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
    await rm(pathOf('weights.bin'))
    await symlink(elsewhere, pathOf('sub'))
    await writeBase({ ...tiny, model: withPath('weights.bin') }, folder)
    await writeFile(pathOf('model.json'), JSON.stringify(withPath('sub/secret')))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_PATH_UNSAFE'))
  })

  it('may be a link itself, and may link to its own files', async () => {
    const link = join(await makeFolder(), 'link')
    await symlink(folder, link)
    await writeFile(pathOf('real.bin'), tiny.weights)
    await rm(pathOf('weights.bin'))
    await symlink(pathOf('real.bin'), pathOf('weights.bin'))
    expect((await readBaseSource(link)).files.size).toBe(2)
  })

  it('that names model.json as its weights is refused', async () => {
    await writeFile(pathOf('model.json'), JSON.stringify(withPath('model.json')))
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_INVALID'))
  })

  it('that is larger than any is BASE_TOO_LARGE, and is not read', async () => {
    await truncate(pathOf('weights.bin'), 3 * 2 ** 30)
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_TOO_LARGE'))
    await truncate(pathOf('model.json'), MAX_MODEL_JSON_BYTES + 1)
    await expect(readBaseSource(folder)).rejects.toThrow(failure('BASE_TOO_LARGE'))
  })
})

describe('a base on a web server', () => {
  let server: FolderServer | undefined
  afterEach(() => server?.stop())
  const serve = async (special?: Readonly<Record<string, Answer>>): Promise<string> => {
    server = await serveFolder(folder, special)
    return server.url
  }

  it('is read from the URL of its folder and of its model.json', async () => {
    const url = await serve()
    for (const from of [url, `${url}/`, `${url}/model.json`])
      expect((await readBaseSource(from)).files).toEqual((await readBaseSource(folder)).files)
  })

  it('is asked with the query of the URL, for signed addresses', async () => {
    await readBaseSource(`${await serve()}/model.json?token=abc`)
    expect(server?.asked).toEqual(['/model.json?token=abc', '/weights.bin?token=abc'])
  })

  it('may redirect elsewhere', async () => {
    const other = await serveFolder(folder)
    const redirect: Answer = (response) =>
      response.writeHead(302, { location: `${other.url}/weights.bin` }).end()
    const url = await serve({ '/weights.bin': redirect })
    expect((await readBaseSource(url)).files.get('weights.bin')).toHaveLength(tiny.weights.length)
    await other.stop()
  })

  it.each<[string, Answer]>([
    ['says 404', (response) => response.writeHead(404).end('x'.repeat(100_000))],
    ['says 500', (response) => response.writeHead(500).end()],
    [
      'redirects for ever',
      (response) => response.writeHead(302, { location: '/weights.bin' }).end(),
    ],
    [
      'redirects to a file',
      (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    ],
    ['hangs up', (response) => response.destroy()],
    [
      'hangs up in the middle',
      (response) =>
        response.writeHead(200, { 'content-length': 1000 }).write('x', () => response.destroy()),
    ],
  ])('that %s is BASE_DOWNLOAD_FAILED', async (_, answer) => {
    const url = await serve({ '/weights.bin': answer })
    await expect(readBaseSource(url)).rejects.toThrow(failure('BASE_DOWNLOAD_FAILED'))
  })

  it('that is not there is BASE_DOWNLOAD_FAILED, and the query stays out of the message', async () => {
    const url = await serve()
    await server?.stop()
    const error: unknown = await readBaseSource(`${url}/?token=secret`).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'BASE_DOWNLOAD_FAILED' })
    expect(String(error)).not.toContain('secret')
  })

  it.each(['user:s3cretpw@', 'user@', ':s3cretpw@'])(
    'with credentials (%s) is refused without repeating them, and not asked',
    async (credentials) => {
      const url = (await serve()).replace('//', `//${credentials}`)
      const error: unknown = await readBaseSource(url).catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'REQUEST_INVALID' })
      expect(String(error)).toContain('credentials')
      expect(String(error)).not.toMatch(/s3cretpw|user/)
      expect(server?.asked).toEqual([])
    },
  )

  it('whose URL cannot be parsed is refused without repeating it', async () => {
    const error: unknown = await readBaseSource('https://u:s3cretpw@:x/').catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'REQUEST_INVALID' })
    expect(String(error)).not.toContain('s3cretpw')
  })

  it.each<[string, Answer]>([
    ['never answers', () => undefined],
    ['stalls in the middle', (response) => response.write('x')],
  ])('that %s is left when the signal fires', async (_, answer) => {
    const url = await serve({ '/weights.bin': answer })
    const controller = new AbortController()
    const reading = readBaseSource(url, { signal: controller.signal })
    await until(async () => server?.asked.includes('/weights.bin') ?? false)
    controller.abort()
    await expect(reading).rejects.toThrow(failure('INTERRUPTED'))
  })

  it('is not asked when the signal has fired', async () => {
    const url = await serve()
    const reading = readBaseSource(url, { signal: AbortSignal.abort() })
    await expect(reading).rejects.toThrow(failure('INTERRUPTED'))
    expect(server?.asked).toEqual([])
  })

  it('whose model.json has no end is BASE_TOO_LARGE', async () => {
    const endless: Answer = (response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(2 ** 20, ' ')));
      }
      response.on('drain', more)
      more()
    }
    const url = await serve({ '/model.json': endless })
    await expect(readBaseSource(url)).rejects.toThrow(failure('BASE_TOO_LARGE'))
  })

  it('that sends slowly is waited for, and one that sends nothing is given up', async () => {
    const slow: Answer = async (response) => {
      for (let start = 0; start < tiny.weights.length; start += 50) {
        response.write(tiny.weights.subarray(start, start + 50))
        await sleep(200)
      }
      response.end()
    }
    const patience = { downloadTimeoutMs: 2000 }
    const source = await readBaseSource(await serve({ '/weights.bin': slow }), patience)
    expect(source.files.get('weights.bin')).toHaveLength(tiny.weights.length)
    await server?.stop()
    const stalled: Answer = (response) => response.write('x')
    const url = await serve({ '/weights.bin': stalled })
    await expect(readBaseSource(url, patience)).rejects.toThrow(failure('BASE_DOWNLOAD_FAILED'))
  })
})
