// Owns who a request comes from, and which requests are refused before anything else is looked at.
// Tokens are compared in constant time; the owner is the command line on the same machine.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIPv4 } from 'node:net'
import { HeadstartError } from '../errors.js'

/** The owner may name files of this machine. */
export type Caller = 'anybody' | 'user' | 'owner'

export interface Tokens {
  readonly token?: string | undefined
  readonly ownerToken?: string | undefined
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i

/** @throws UNAUTHORIZED */
export const createAuthenticator = ({ token, ownerToken }: Tokens) => {
  const user = token === undefined ? null : digestOf(token)
  const owner = ownerToken === undefined ? null : digestOf(ownerToken)
  return (header: string | undefined): Caller => {
    if (header === undefined) {
      if (user === null) return 'anybody'
      throw new HeadstartError('UNAUTHORIZED', 'this service asks for a bearer token')
    }
    const given = digestOf(BEARER.exec(header)?.[1] ?? '')
    // Both are compared, whatever the first one says.
    const isUser = user !== null && timingSafeEqual(given, user)
    const isOwner = owner !== null && timingSafeEqual(given, owner)
    if (isOwner) return 'owner'
    if (isUser) return 'user'
    throw new HeadstartError('UNAUTHORIZED', 'the bearer token is wrong')
  }
}

/** Whether an address to listen on, or the name in a URL, is this machine's own. */
export const isLoopback = (host: string): boolean => {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

const nameOfHost = (header: string): string => header.replace(/:\d+$/, '')

/**
 * Refuses what a browser sends for a web page of somebody else: a service without a token has only
 * the loopback address to protect it, and a page can point its own name there.
 *
 * @throws FORBIDDEN
 */
export const assertNotForeign = (headers: IncomingHttpHeaders, anonymous: boolean): void => {
  const { host = '', origin } = headers
  if (anonymous && !isLoopback(nameOfHost(host)))
    throw new HeadstartError('FORBIDDEN', 'without a token this service answers to localhost only')
  if (origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== host)
    throw new HeadstartError('FORBIDDEN', 'the request comes from a page of another origin')
}
