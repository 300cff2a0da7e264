import { execFileSync, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import { storeErrorOf } from '../../src/store/file-errors.js'
import type { Store } from '../../src/store/port.js'
import { storeContract } from '../contract/store.js'

const makeFolder = () => mkdtemp(path.join(tmpdir(), 'headstart-store-'))

storeContract('file', async () => {
  const root = await makeFolder()
  return {
    store: createFileStore(root),
    tamper: async (key, change) => {
      const file = path.join(root, key)
      await writeFile(file, change(await readFile(file)))
    },
    forget: (key) => unlink(`${path.join(root, key)}.sha256`),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (content: Uint8Array | null): string | null =>
  content === null ? null : new TextDecoder().decode(content)

const lockOf = (root: string, key: string) => path.join(root, '.tmp', `${sha256(key)}.lock`)
const sidecarLine = (content: string, name: string) => `${sha256(content)}  ${name}\n`
const deadPid = () => Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }))

describe('file store', () => {
  let root: string
  let store: Store
  const at = (key: string) => path.join(root, key)

  beforeEach(async () => {
    root = await makeFolder()
    store = createFileStore(root)
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  describe('as a folder', () => {
    it('creates its folder on the first write, not by reading', async () => {
      const later = createFileStore(at('not/yet'))
      expect(await later.get('a')).toBeNull()
      await later.delete('a')
      for await (const object of later.list('')) expect.fail(object.key)
      expect(await readdir(root)).toEqual([])
      await later.putIfAbsent('a', bytes('a'))
      expect(text(await later.get('a'))).toBe('a')
    })

    it('can be checked with sha256sum', async () => {
      await store.putIfAbsent('x/one.bin', bytes('one'))
      await store.replace('x/two.bin', bytes('two'), null)
      const check = 'sha256sum -c --strict *.sha256'
      const output = execFileSync('sh', ['-c', check], { cwd: at('x'), encoding: 'utf8' })
      expect(output).toBe('one.bin: OK\ntwo.bin: OK\n')
    })

    it('leaves nothing but objects and sidecars', async () => {
      const info = await store.replace('x/a', bytes('one'), null)
      await store.replace('x/a', bytes('two'), info.version)
      await store.putIfAbsent('x/b', bytes('b'))
      await store.putIfAbsent('x/b', bytes('b'))
      await store.putIfAbsent('x/b', bytes('c')).catch(() => {})
      await store.delete('x/b')
      expect(await readdir(at('x'))).toEqual(['a', 'a.sha256'])
      expect(await readdir(at('.tmp'))).toEqual([])
    })

    it('is one store under a link to its folder', async () => {
      await symlink(root, `${root}-link`)
      const linked = createFileStore(`${root}-link`)
      await linked.putIfAbsent('x/a', bytes('a'))
      expect(text(await store.get('x/a'))).toBe('a')
      expect(text(await linked.get('x/a'))).toBe('a')
      await unlink(`${root}-link`)
    })

    it('refuses an object where a folder is, and a folder where an object is', async () => {
      await store.putIfAbsent('a/b', bytes('x'))
      const refused = { code: 'STORE_KEY_INVALID' }
      await expect(store.putIfAbsent('a', bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.putIfAbsent('a/b/c', bytes('x'))).rejects.toMatchObject(refused)
      expect(await readdir(root)).toEqual(['.tmp', 'a'])
    })

    it('removes what crashed writers left a day ago, and nothing younger', async () => {
      await mkdir(at('.tmp'))
      const dayAgo = new Date(Date.now() - 25 * 3600 * 1000)
      await writeFile(at('.tmp/old'), 'x')
      await utimes(at('.tmp/old'), dayAgo, dayAgo)
      await writeFile(at('.tmp/young'), 'x')
      await store.putIfAbsent('a', bytes('a'))
      expect(await readdir(at('.tmp'))).toEqual(['young'])
    })
  })

  describe('links that lead outside', () => {
    const outside = () => `${root}-outside`
    beforeEach(async () => {
      await mkdir(outside())
      await writeFile(path.join(outside(), 'secret'), 'secret')
      await writeFile(path.join(outside(), 'secret.sha256'), sidecarLine('secret', 'secret'))
    })
    afterEach(() => rm(outside(), { recursive: true, force: true }))

    it('does not read through a linked file', async () => {
      await symlink(path.join(outside(), 'secret'), at('a'))
      await writeFile(at('a.sha256'), sidecarLine('secret', 'a'))
      const refused = { code: 'STORE_CORRUPT' }
      await expect(store.get('a')).rejects.toMatchObject(refused)
      await expect(store.getRange('a', 0, 3)).rejects.toMatchObject(refused)
    })

    it('does not read, list, write or delete through a linked folder', async () => {
      await symlink(outside(), at('x'))
      const refused = { code: 'STORE_CORRUPT' }
      await expect(store.get('x/secret')).rejects.toMatchObject(refused)
      await expect(store.head('x/secret')).rejects.toMatchObject(refused)
      await expect(store.delete('x/secret')).rejects.toMatchObject(refused)
      await expect(store.putIfAbsent('x/new', bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.putIfAbsent('x/y/z/new', bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.list('x/')[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused)
      for await (const object of store.list('')) expect.fail(object.key)
      expect(await readdir(outside())).toEqual(['secret', 'secret.sha256'])
    })
  })

  describe('after a crash', () => {
    it('between sidecar and object of a new object: nothing is there, and it can be written', async () => {
      await writeFile(at('a.sha256'), sidecarLine('one', 'a'))
      expect(await store.get('a')).toBeNull()
      expect(await store.head('a')).toBeNull()
      expect(await store.putIfAbsent('a', bytes('one'))).toBe('created')
      expect(text(await store.get('a'))).toBe('one')
    })

    it('the same, and other content is written: it takes the place over', async () => {
      await writeFile(at('a.sha256'), sidecarLine('one', 'a'))
      expect(await store.putIfAbsent('a', bytes('two'))).toBe('created')
      expect(text(await store.get('a'))).toBe('two')
    })

    it('a sidecar that is not readable is written anew', async () => {
      await store.putIfAbsent('a', bytes('one'))
      await writeFile(at('a.sha256'), 'rubbish')
      await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      expect(await store.putIfAbsent('a', bytes('one'))).toBe('exists')
      expect(text(await store.get('a'))).toBe('one')
    })

    it.each(['old', 'new'])('of replace, with the %s object there: it is read', async (state) => {
      const one = await store.replace('a', bytes('old'), null)
      await writeFile(at('a.sha256'), sidecarLine('old', 'a') + sidecarLine('new', 'a'))
      if (state === 'new') await writeFile(at('a'), 'new')
      expect(text(await store.get('a'))).toBe(state)
      const info = await store.head('a')
      expect(info).toMatchObject({ sha256: sha256(state) })
      if (state === 'old') expect(info?.version).toBe(one.version)
      await store.replace('a', bytes('next'), info?.version ?? null)
      expect(text(await store.get('a'))).toBe('next')
      expect(await readFile(at('a.sha256'), 'utf8')).toBe(sidecarLine('next', 'a'))
    })

    it('says STORE_CORRUPT, not conflict, when the recorded content is written over broken bytes', async () => {
      await store.putIfAbsent('a', bytes('one'))
      await writeFile(at('a'), 'broken')
      await expect(store.putIfAbsent('a', bytes('one'))).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
      })
    })
  })

  describe('locks', () => {
    const holdLock = async (key: string, content: string) => {
      await mkdir(at('.tmp'), { recursive: true })
      await writeFile(lockOf(root, key), content)
    }

    it('breaks the lock of a process of this host that is gone', async () => {
      const { version } = await store.replace('a', bytes('one'), null)
      await holdLock('a', `${deadPid()}\n${hostname()}\nx\n`)
      await store.replace('a', bytes('two'), version)
      expect(text(await store.get('a'))).toBe('two')
    })

    it('breaks a lock that is older than its holder can be', async () => {
      const { version } = await store.replace('a', bytes('one'), null)
      await holdLock('a', '1\nsome-other-host\nx\n')
      const old = new Date(Date.now() - 31_000)
      await utimes(lockOf(root, 'a'), old, old)
      await store.replace('a', bytes('two'), version)
      expect(text(await store.get('a'))).toBe('two')
    })

    it('gives up in bounded time while another host holds the lock', async () => {
      const { version } = await store.replace('a', bytes('one'), null)
      await holdLock('a', '1\nsome-other-host\nx\n')
      const started = Date.now()
      await expect(store.replace('a', bytes('two'), version)).rejects.toMatchObject({
        code: 'STORE_CONFLICT',
      })
      // The lock itself would be taken for left behind after 30 s.
      expect(Date.now() - started).toBeLessThan(25_000)
      expect(text(await store.get('a'))).toBe('one')
    })

    it('never stop the creation of an object', async () => {
      await holdLock('a', '1\nsome-other-host\nx\n')
      expect(await store.putIfAbsent('a', bytes('one'))).toBe('created')
      expect(await store.putIfAbsent('a', bytes('one'))).toBe('exists')
    })
  })

  it('serves readers whole objects while writers replace, delete and create', async () => {
    const contents = Array.from({ length: 40 }, (_, n) => `${n} `.repeat(1_000))
    let writing = true
    const write = async () => {
      for (const content of contents) {
        const seen = await store.head('a')
        await store.replace('a', bytes(content), seen?.version ?? null)
        if (content.startsWith('9') || content.startsWith('19')) await store.delete('a')
      }
      writing = false
    }
    const read = async () => {
      while (writing) {
        const content = text(await store.get('a'))
        if (content !== null) expect(contents).toContain(content)
        await store.head('a')
      }
    }
    await Promise.all([write(), read(), read(), read()])
  })

  it('keeps everything whole when writers are killed at any moment', async () => {
    const script = `
      import { createFileStore } from ${JSON.stringify(path.resolve('dist/src/store/file.js'))}
      const store = createFileStore(process.argv[2])
      process.send('ready')
      for (let n = 0; ; n += 1) {
        await store.putIfAbsent('created/' + n, Buffer.from('content ' + n))
        try {
          const seen = await store.head('counter')
          await store.replace('counter', Buffer.from(String(n)), seen?.version ?? null)
        } catch (error) {
          if (error.code !== 'STORE_CONFLICT') throw error
        }
      }`
    await writeFile(at('writer.mjs'), script)
    const folder = at('store')
    for (let round = 0; round < 8; round += 1) {
      const writers = [1, 2].map(() => fork(at('writer.mjs'), [folder], { stdio: 'inherit' }))
      await Promise.all(
        writers.map((child) => new Promise((ready) => child.once('message', ready))),
      )
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 120))
      const ended = writers.map((child) => new Promise((resolve) => child.once('exit', resolve)))
      for (const child of writers) child.kill('SIGKILL')
      await Promise.all(ended)

      const survivor = createFileStore(folder)
      for await (const { key } of survivor.list('created/')) {
        const number = key.slice('created/'.length)
        expect(text(await survivor.get(key))).toBe(`content ${number}`)
        expect(await survivor.putIfAbsent(key, bytes(`content ${number}`))).toBe('exists')
      }
      const seen = await survivor.head('counter')
      if (seen !== null) expect(await survivor.get('counter')).not.toBeNull()
      await survivor.replace('counter', bytes('0'), seen?.version ?? null)
    }
  })

  describe('disk faults', () => {
    const systemError = (code: string) => Object.assign(new Error(code), { code })

    it.each([
      ['ENOSPC', 'STORE_FULL', /disk .* is full/],
      ['EDQUOT', 'STORE_FULL', /disk .* is full/],
      ['EACCES', 'STORE_UNAVAILABLE', /the store folder \/data\/store is not .*writable/],
      ['EROFS', 'STORE_UNAVAILABLE', /not writable/],
      ['EPERM', 'STORE_UNAVAILABLE', /not writable/],
      ['EXDEV', 'STORE_UNAVAILABLE', /hard links/],
      ['EIO', 'STORE_UNAVAILABLE', /EIO/],
    ])('%s becomes %s', (code, expected, message) => {
      const error = storeErrorOf(systemError(code), '/data/store', 'a/b')
      expect(error).toMatchObject({ code: expected, message: expect.stringMatching(message) })
    })

    it('names a folder that is not writable', async () => {
      const folder = at('locked')
      await mkdir(folder)
      await chmod(folder, 0o500)
      const failure = await runAsUnprivileged(folder)
      expect(failure).toContain('STORE_UNAVAILABLE')
      expect(failure).toContain(folder)
    })
  })

  it('takes an object that was linked in by hand, without sidecar, when equal content is written', async () => {
    await writeFile(at('elsewhere'), 'one')
    await mkdir(at('x'))
    await link(at('elsewhere'), at('x/a'))
    await expect(store.get('x/a')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    expect(await store.putIfAbsent('x/a', bytes('one'))).toBe('exists')
    expect(text(await store.get('x/a'))).toBe('one')
  })
})

/** Writes in a child that may not (root may write everywhere): what it says. */
const runAsUnprivileged = async (folder: string): Promise<string> => {
  const file = path.join(tmpdir(), `headstart-${randomUUID()}.mjs`)
  const module = JSON.stringify(path.resolve('dist/src/store/file.js'))
  await writeFile(
    file,
    `import { createFileStore } from ${module}
     const store = createFileStore(process.argv[2])
     if (process.getuid?.() === 0) process.setuid(65534)
     try { await store.putIfAbsent('a', Buffer.from('a')); console.log('written') }
     catch (error) { console.log(error.code, error.message) }`,
  )
  try {
    return execFileSync(process.execPath, [file, folder], { encoding: 'utf8' })
  } finally {
    await rm(file)
  }
}
