// What doctor sees on a good machine, on stores that break a promise, and that it tidies up.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runDoctor } from '../../src/catalog/doctor.js'
import {
  checkDisk,
  checkFolder,
  checkNode,
  judgeEngine,
  judgeFreeSpace,
} from '../../src/catalog/doctor-machine.js'
import { checkStore } from '../../src/catalog/doctor-store.js'
import { HeadstartError } from '../../src/errors.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import type { EngineName } from '../../src/extractor/spec.js'
import { createFileStore } from '../../src/store/file.js'
import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/port.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { keysOf } from './support.js'

const statusesOf = async (store: Store): Promise<Record<string, string>> =>
  Object.fromEntries((await checkStore(store)).map(({ name, status }) => [name, status]))

const ALL_OK = {
  'store: writable': 'ok',
  'store: read after write': 'ok',
  'store: checksums': 'ok',
  'store: write once': 'ok',
  'store: replace': 'ok',
  'store: list': 'ok',
  'store: delete': 'ok',
}

describe('doctor on this machine', () => {
  it('finds nothing that failed, and leaves neither objects nor files', async () => {
    const folder = await makeFolder()
    const store = createFileStore(join(folder, 'store'))
    const cache = join(folder, 'cache', 'hashes')
    const { healthy, checks } = await runDoctor({
      store,
      engines: DEFAULT_ENGINE_SETTINGS,
      folders: [{ name: 'cache folder', path: cache }],
    })
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([])
    expect(healthy).toBe(true)
    const seen = Object.fromEntries(checks.map((check) => [check.name, check.seen]))
    expect(seen.images).toContain('sharp')
    for (const [engine, version] of [
      ['wasm', 'tfjs'],
      ['onnxruntime', 'onnxruntime 1.'],
    ])
      expect(seen[`engine ${engine}`]).toMatch(
        new RegExp(`^${version}.* on cpu.*, [1-9]\\d* images/s`),
      )
    expect(seen['store: write once']).toBe('one of 32 racing writers won')
    expect(seen['store: writable']).toContain(store.url)
    expect(seen['store: disk']).toContain('GB free')
    expect(await keysOf(store)).toEqual([])
    expect(await filesBelow(folder)).toEqual([])
  })

  it('needs Node 20.19', () => {
    const statuses = ['18.20.1', '20.18.3', '20.19.0', '22.1.0', '24.0.0'].map(
      (version) => checkNode(version).status,
    )
    expect(statuses).toEqual(['failed', 'failed', 'ok', 'ok', 'ok'])
  })

  it('warns when little space is free, and looks above a folder that is not there yet', async () => {
    expect(judgeFreeSpace(0.9e9)).toMatchObject({ status: 'warning', seen: '0.9 GB free' })
    expect(judgeFreeSpace(2e9).status).toBe('ok')
    const url = pathToFileURL(join(await makeFolder(), 'not', 'yet')).href
    expect((await checkDisk(url)).seen).toContain('GB free')
  })

  it('fails without the engines of the packages, takes missing others as they are, warns of broken ones', () => {
    const absent = { info: null, problem: 'no binary' }
    const judge = (engine: EngineName, installed: boolean) =>
      judgeEngine({ engine, ...absent }, { rate: null, installed })
    for (const engine of ['wasm', 'onnxruntime'] as const)
      expect(judge(engine, true).status).toBe('failed')
    for (const engine of ['tensorflow', 'webgpu'] as const)
      expect(judge(engine, false).status).toBe('ok')
    expect(judge('tensorflow', true)).toMatchObject({ status: 'warning', seen: 'no binary' })
    expect(judge('webgpu', true)).toMatchObject({ status: 'ok' })
    expect(judge('webgpu', true).seen).toContain('no binary')
  })

  it('fails where a folder cannot be made', async () => {
    const file = join(await makeFolder(), 'file')
    await writeFile(file, '')
    await expect(checkFolder(join(file, 'cache'))).rejects.toThrow('ENOTDIR')
    const store = createFileStore(join(file, 'store'))
    const { healthy, checks } = await runDoctor({
      store,
      engines: DEFAULT_ENGINE_SETTINGS,
      folders: [{ name: 'cache folder', path: join(file, 'cache') }],
    })
    expect(healthy).toBe(false)
    const failed = checks.filter(({ status }) => status === 'failed')
    expect(failed.map(({ name }) => name)).toEqual(['cache folder', 'store: writable'])
    for (const { mend } of failed) expect(mend).not.toBeNull()
  })
})

describe('doctor on stores', () => {
  let moto: MotoServer
  beforeAll(async () => {
    moto = await startMoto()
  })
  afterAll(() => moto?.stop())

  it('finds a real S3 server good', async () => {
    const url = `s3://${await moto.createBucket()}/p`
    const store = await openStore({ url, s3Endpoint: moto.endpoint })
    expect(await statusesOf(store)).toEqual(ALL_OK)
    expect(await keysOf(store)).toEqual([])
    await store.close()
  })

  const good = async (): Promise<Store> => createFileStore(await makeFolder())

  it('finds a store where the last writer wins', async () => {
    const store = await good()
    const careless: Store = {
      ...store,
      putIfAbsent: async (key, content) => {
        await store.delete(key)
        await store.putIfAbsent(key, content).catch(() => undefined)
        return 'created'
      },
    }
    expect(await statusesOf(careless)).toMatchObject({ 'store: write once': 'failed' })
  })

  it('finds a store that overwrites versions nobody saw', async () => {
    const store = await good()
    const careless: Store = {
      ...store,
      replace: async (key, content) =>
        store.replace(key, content, (await store.head(key))?.version ?? null),
    }
    expect(await statusesOf(careless)).toEqual({ ...ALL_OK, 'store: replace': 'failed' })
  })

  it('finds a store that lists late or reads something else', async () => {
    const store = await good()
    const late: Store = { ...store, list: async function* () {} }
    expect(await statusesOf(late)).toMatchObject({ 'store: list': 'failed' })
    const other: Store = { ...store, get: async () => new Uint8Array([1]) }
    expect(await statusesOf(other)).toMatchObject({
      'store: read after write': 'failed',
      'store: checksums': 'failed',
    })
  })

  it('tries nothing more in a store that cannot be written', async () => {
    const store: Store = {
      ...(await good()),
      putIfAbsent: async () => {
        throw new HeadstartError('STORE_UNAVAILABLE', 'read-only')
      },
    }
    const [check, ...others] = await checkStore(store)
    expect(others).toEqual([])
    expect(check).toMatchObject({ status: 'failed', seen: expect.stringContaining('read-only') })
    expect(check?.mend).toContain('HEADSTART_STORE')
  })
})
