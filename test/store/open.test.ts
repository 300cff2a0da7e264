import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openStore, parseStoreUrl } from '../../src/store/open.js'

describe('store addresses', () => {
  it.each([
    ['file:///data/store', { kind: 'file', directory: '/data/store' }],
    ['file:///data/store/', { kind: 'file', directory: '/data/store' }],
    ['file:///data/my%20store', { kind: 'file', directory: '/data/my store' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://my.bucket-1/a/b_c', { kind: 's3', bucket: 'my.bucket-1', prefix: 'a/b_c' }],
    ['s3://bucket/a/b/', { kind: 's3', bucket: 'bucket', prefix: 'a/b' }],
  ])('reads %s', (text, expected) => {
    expect(parseStoreUrl(text)).toEqual(expected)
  })

  it.each([
    '',
    'store',
    './store',
    '/data/store',
    'file:store',
    'file://store',
    'file://host/store',
    'file://./store',
    'file:///',
    'file:///a%2Fb',
    'file:///a%00b',
    'file:///a?x=1',
    'file:///a#b',
    's3:bucket/a',
    's3://',
    's3:///a',
    's3://UPPER/a',
    's3://b',
    's3://bucket:9000/a',
    's3://bucket//a',
    's3://bucket/a/../b',
    's3://bucket/a b',
    's3://bucket/a?endpoint=x',
    `s3://bucket/${'a'.repeat(121)}`,
    'http://bucket/a',
    'redis://host',
  ])('refuses %j', (text) => {
    expect(() => parseStoreUrl(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it.each(['s3://key:hunter2@bucket/a', 's3://hunter2@bucket/a', 'file://a:hunter2@/b'])(
    'refuses credentials without repeating them: %s',
    (text) => {
      expect(() => parseStoreUrl(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
      )
    },
  )

  it.each(['host:9000', 'ftp://host', 'http://key:secret@host', 'http://host/?a=b'])(
    'refuses the endpoint %s',
    async (s3Endpoint) => {
      await expect(openStore({ url: 's3://bucket/a', s3Endpoint })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      })
    },
  )

  it('opens what a store says its address is', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'headstart open-'))
    const store = await openStore({ url: pathToFileURL(folder).href })
    await store.putIfAbsent('a', new Uint8Array([1]))
    const again = await openStore({ url: store.url })
    expect(await again.get('a')).toEqual(new Uint8Array([1]))
    await rm(folder, { recursive: true })
  })
})
