// The pure rules: allowed sources, signed links, depth of JSON, who a caller is.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAllowedSources } from '../../src/http/allowed-sources.js'
import { createAuthenticator, isLoopback } from '../../src/http/auth.js'
import { jsonDepth } from '../../src/http/json-body.js'
import { createLinkSigner } from '../../src/http/signing.js'

describe('allowed sources', () => {
  const allowed = parseAllowedSources([
    'models.example.com',
    '127.0.0.1:8080',
    's3://images/train',
    's3://whole',
  ])

  it.each([
    ['https://models.example.com/a/model.json', true],
    ['http://models.example.com/model.json', true],
    ['https://MODELS.example.com/model.json', true],
    ['http://127.0.0.1:8080/model.json', true],
    ['https://models.example.com:444/model.json', false],
    ['https://models.example.com.evil.net/model.json', false],
    ['https://evil-models.example.com/model.json', false],
    ['https://example.com/model.json', false],
    ['https://models.example.com@evil.net/model.json', false],
    ['http://127.0.0.1/model.json', false],
    ['ftp://models.example.com/model.json', false],
    ['https://models.example.com%2eevil.net/', false],
  ])('%s: %s', (url, expected) => {
    expect(allowed.url(new URL(url))).toBe(expected)
  })

  it.each([
    ['s3://images/train', true],
    ['s3://images/train/', true],
    ['s3://images/train/cats', true],
    ['s3://images/training', false],
    ['s3://images', false],
    ['s3://images/Train/cats', false],
    ['s3://images-2/train', false],
    ['s3://whole', true],
    ['s3://whole/any/thing', true],
  ])('%s: %s', (from, expected) => {
    expect(allowed.object(from)).toBe(expected)
  })

  it('refuses addresses that climb out of their prefix', () => {
    expect(() => allowed.object('s3://images/train/../secret')).toThrow('part ".."')
    expect(() => allowed.object('s3://user:pass@images/train')).toThrow('credentials')
  })

  it.each(['https://example.com', '*.example.com', 'a b', 's3://', 's3://B', 'example.com/path'])(
    'names the entry %s as none',
    (entry) => {
      expect(() => parseAllowedSources([entry])).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      )
    },
  )
})

describe('a signed link', () => {
  const key = `runs/${'a'.repeat(64)}/run.json`
  const signer = createLinkSigner('a token')
  const now = 1_000_000_000_000
  const expires = now / 1000 + 60
  const partsOf = (link: string) => {
    const url = new URL(link, 'http://localhost')
    const { expires: until = '', signature = '' } = Object.fromEntries(url.searchParams)
    return { expires: until, signature }
  }
  const link = partsOf(signer.sign(key, expires))

  it('is good until it expires, for whoever shares the token', () => {
    expect(() => signer.verify(key, link, now)).not.toThrow()
    expect(() => createLinkSigner('a token').verify(key, link, now)).not.toThrow()
    expect(() => signer.verify(key, link, now + 60_000)).toThrow('too old')
    expect(() => createLinkSigner('another').verify(key, link, now)).toThrow('edited')
    expect(() => createLinkSigner(undefined).verify(key, link, now)).toThrow('edited')
  })

  it('is not good when anything in it is another text', () => {
    const changed = (text: string) =>
      fc.oneof(
        fc.string(),
        fc.nat(text.length - 1).map((i) => text.slice(0, i) + text.slice(i + 1)),
        fc
          .tuple(fc.nat(text.length), fc.string({ minLength: 1, maxLength: 3 }))
          .map(([i, more]) => text.slice(0, i) + more + text.slice(i)),
        fc
          .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
          .map(([i, other]) => text.slice(0, i) + other + text.slice(i + 1)),
      )
    const anyLink = fc.record({
      key: fc.oneof(fc.constant(key), changed(key)),
      expires: fc.oneof(fc.constant(link.expires), changed(link.expires)),
      signature: fc.oneof(fc.constant(link.signature), changed(link.signature)),
    })
    fc.assert(
      fc.property(anyLink, (other) => {
        const same =
          other.key === key && other.expires === link.expires && other.signature === link.signature
        const verify = () => signer.verify(other.key, other, now)
        if (same) expect(verify).not.toThrow()
        else expect(verify).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
      }),
      { numRuns: 2_000 },
    )
  })

  it('cannot be made to last by writing its expiry in another way', () => {
    for (const odd of [
      '1e15',
      `0${expires}`,
      `${expires}.0`,
      ` ${expires}`,
      'Infinity',
      '-1',
      '',
    ]) {
      const signed = partsOf(signer.sign(key, odd as unknown as number))
      expect(() => signer.verify(key, { ...signed, expires: odd }, now), odd).toThrow('edited')
    }
  })
})

describe('the depth of a JSON text', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null
      ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
      : 0

  it('is that of the value, whatever its strings hold', () => {
    const value = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' })
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 2), (any, indent) => {
        expect(jsonDepth(JSON.stringify(any, null, indent))).toBe(depthOf(any))
      }),
      { numRuns: 1_000 },
    )
    expect(jsonDepth('{"a\\"[[[[": "]]{{\\\\"}')).toBe(1)
  })
})

describe('a caller', () => {
  it('is who its token says, and nobody with a wrong one', () => {
    const callerOf = createAuthenticator({ token: 'user-token', ownerToken: 'owner-token' })
    expect(callerOf('Bearer user-token')).toBe('user')
    expect(callerOf('bearer owner-token')).toBe('owner')
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer user-token2',
      'Bearer user-toke',
      'Basic user-token',
      'user-token',
      'Bearer user-token, Bearer owner-token',
    ]
    for (const header of wrong)
      expect(() => callerOf(header), header).toThrow(
        expect.objectContaining({ code: 'UNAUTHORIZED' }),
      )
  })

  it('needs no token where there is none, but no wrong one either', () => {
    const callerOf = createAuthenticator({ ownerToken: 'owner-token' })
    expect(callerOf(undefined)).toBe('anybody')
    expect(callerOf('Bearer owner-token')).toBe('owner')
    expect(() => callerOf('Bearer x')).toThrow('wrong')
    expect(() => createAuthenticator({})('Bearer ')).toThrow('wrong')
  })

  it.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['[::1]', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.0.0.1.evil.net', false],
    ['localhost.evil.net', false],
    ['192.168.0.1', false],
    ['127.1', false],
  ])('listens on %s, which is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})
