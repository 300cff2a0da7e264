// Owns signed links: HMAC-SHA256 over method, store key and expiry, so that a download needs no token.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { HeadstartError } from '../errors.js'
import type { StoreKey } from '../store/port.js'

export interface LinkSigner {
  /** Path and query of a link. @param expires seconds since the epoch. */
  sign(key: StoreKey, expires: number): string
  /** @throws FORBIDDEN for a link that was edited or is too old; it never says which. */
  verify(
    key: StoreKey,
    link: { readonly expires: string; readonly signature: string },
    nowMs: number,
  ): void
}

export const ARTIFACT_PATH = '/v1/artifacts/'

/** Exactly what `String` makes of a whole number: the same expiry cannot be written twice. */
const SECONDS = /^[1-9]\d{0,11}$/

/** @param token undefined: links are good for this process only. */
export const createLinkSigner = (token: string | undefined): LinkSigner => {
  // Derived, so that a signature says nothing of the token; services that share it share links.
  const secret =
    token === undefined
      ? randomBytes(32)
      : createHmac('sha256', token).update('headstart signed links, version 1').digest()
  const signatureOf = (key: StoreKey, expires: string): Buffer =>
    createHmac('sha256', secret).update(`GET\n${key}\n${expires}`).digest()
  return {
    sign: (key, expires) => {
      const signature = signatureOf(key, String(expires)).toString('base64url')
      return `${ARTIFACT_PATH}${key}?expires=${expires}&signature=${signature}`
    },
    verify: (key, { expires, signature }, nowMs) => {
      const expected = signatureOf(key, expires).toString('base64url')
      // Texts, not bytes: base64url decoders overlook what does not belong there.
      const [given, wanted] = [Buffer.from(signature), Buffer.from(expected)]
      const same = given.length === wanted.length && timingSafeEqual(given, wanted)
      if (!same || !SECONDS.test(expires) || Number(expires) * 1000 <= nowMs)
        throw new HeadstartError('FORBIDDEN', 'the link was edited or is too old')
    },
  }
}
