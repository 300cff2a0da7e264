import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createFileStore } from '../../src/store/file.js'
import { getJson, putJson } from '../../src/store/json.js'
import { getName, listNames, removeName, setName } from '../../src/store/names.js'
import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/port.js'
import { type MotoServer, startMoto } from '../support/moto.js'

let moto: MotoServer
let folder: string
beforeAll(async () => {
  moto = await startMoto()
  folder = await mkdtemp(path.join(tmpdir(), 'headstart-names-'))
})
afterAll(async () => {
  await moto?.stop()
  await rm(folder, { recursive: true, force: true })
})

const ADAPTERS: readonly [string, () => Promise<Store>][] = [
  ['file', async () => createFileStore(await mkdtemp(path.join(folder, 's-')))],
  [
    's3',
    async () =>
      openStore({ url: `s3://${await moto.createBucket()}/p`, s3Endpoint: moto.endpoint }),
  ],
]

describe.each(ADAPTERS)('names on the %s store', (_adapter, makeStore) => {
  let store: Store
  beforeAll(async () => {
    store = await makeStore()
  })
  afterAll(() => store?.close())

  it('keeps what a name points to', async () => {
    await setName(store, 'base', 'kept', { id: 'abc', cut: ['x', 1] })
    expect(await getName(store, 'base', 'kept')).toEqual({ cut: ['x', 1], id: 'abc' })
    expect(await getName(store, 'base', 'never-set')).toBeNull()
  })

  it('takes the same value again, whatever the order of its fields', async () => {
    await setName(store, 'base', 'same', { a: 1, b: 2 })
    await setName(store, 'base', 'same', { b: 2, a: 1 })
    expect(await getName(store, 'base', 'same')).toEqual({ a: 1, b: 2 })
  })

  it('refuses another value unless asked to replace', async () => {
    await setName(store, 'run', 'taken', { id: 'one' })
    await expect(setName(store, 'run', 'taken', { id: 'two' })).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    })
    expect(await getName(store, 'run', 'taken')).toEqual({ id: 'one' })
    await setName(store, 'run', 'taken', { id: 'two' }, { replace: true })
    expect(await getName(store, 'run', 'taken')).toEqual({ id: 'two' })
  })

  it('keeps kinds apart and lists names sorted', async () => {
    for (const name of ['b', 'a.b', 'a', 'a-1', 'x.json']) await setName(store, 'dataset', name, 1)
    expect(await listNames(store, 'dataset')).toEqual(['a', 'a-1', 'a.b', 'b', 'x.json'])
    expect(await listNames(store, 'base')).not.toContain('b')
  })

  it('frees a name', async () => {
    await setName(store, 'run', 'freed', 1)
    expect(await removeName(store, 'run', 'freed')).toBe(true)
    expect(await removeName(store, 'run', 'freed')).toBe(false)
    await setName(store, 'run', 'freed', 2)
    expect(await getName(store, 'run', 'freed')).toBe(2)
  })

  it('gives a free name to one of many that want it', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, id) => setName(store, 'run', 'wanted', { id })),
    )
    const winners = outcomes.flatMap(({ status }, id) => (status === 'fulfilled' ? [id] : []))
    expect(winners).toHaveLength(1)
    expect(await getName(store, 'run', 'wanted')).toEqual({ id: winners[0] })
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'NAME_TAKEN' })
    }
  })

  it('lets all of many replace a name, one after the other', async () => {
    await Promise.all(
      Array.from({ length: 6 }, (_, id) =>
        setName(store, 'run', 'contended', { id }, { replace: true }),
      ),
    )
    expect(await getName(store, 'run', 'contended')).toMatchObject({ id: expect.any(Number) })
  })

  it.each(['', '.', '..', '.a', '-a', 'a/b', '../a', 'a b', 'ä', 'a'.repeat(101)])(
    'refuses the name %j',
    async (name) => {
      const refused = { code: 'STORE_KEY_INVALID' }
      await expect(setName(store, 'run', name, 1)).rejects.toMatchObject(refused)
      await expect(getName(store, 'run', name)).rejects.toMatchObject(refused)
      await expect(removeName(store, 'run', name)).rejects.toMatchObject(refused)
    },
  )

  describe('documents', () => {
    const schema = z.strictObject({ id: z.string(), rows: z.number() })

    it('are written once, as canonical text', async () => {
      expect(await putJson(store, 'docs/a.json', { rows: 1, id: 'x' })).toBe('created')
      expect(await putJson(store, 'docs/a.json', { id: 'x', rows: 1 })).toBe('exists')
      const content = await store.get('docs/a.json')
      expect(new TextDecoder().decode(content ?? undefined)).toBe('{"id":"x","rows":1}')
      expect(await getJson(store, 'docs/a.json', schema)).toEqual({ id: 'x', rows: 1 })
      expect(await getJson(store, 'docs/none.json', schema)).toBeNull()
    })

    it.each([
      ['no JSON', new TextEncoder().encode('{')],
      ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
      ['another document', new TextEncoder().encode('{"id":1,"extra":2}')],
    ])('that are %s are corrupt', async (what, content) => {
      const key = `docs/${what.replaceAll(' ', '-')}.json`
      await store.putIfAbsent(key, content)
      await expect(getJson(store, key, schema)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining(key),
      })
    })
  })
})
