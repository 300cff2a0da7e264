// Owns the doctor's one connection to Redis: no retries, no offline queue, and no message that
// repeats more of an address than host, port and database.
import { Redis } from 'ioredis'
import { type Finding, failed, ok } from '../catalog/doctor-check.js'
import { messageOf } from '../errors.js'
import { shownAddress } from './address.js'

const CONNECT_TIMEOUT_MS = 5_000
const COMMAND_TIMEOUT_MS = 5_000

export const MEND_REACH =
  'Check HEADSTART_QUEUE (redis://[user:password@]host:port[/db], rediss:// with TLS), the password and the network.'

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A server's own words, without user and password should it repeat them. */
export const withoutSecrets = (text: string, { username, password }: URL): string =>
  [password, decoded(password), username, decoded(username)]
    .filter((secret) => secret.length > 2)
    .reduce((shown, secret) => shown.replaceAll(secret, '***'), text)

/** By code, name or message of an error: what ioredis says itself is meant for its own developers. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no such host',
  ETIMEDOUT: 'it does not answer in time',
  'Command timed out': 'it does not answer in time',
  ECONNRESET: 'it closes the connection',
  'Connection is closed.': 'it closes the connection',
  ParserError: 'what answers there is no Redis',
}

const reasonOf = (error: unknown): string => {
  const { code = '', name = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  const message = messageOf(error)
  return REASONS[code] ?? REASONS[name] ?? REASONS[message] ?? message
}

export interface Session {
  readonly client: Redis
  /** What the connection itself complained about: ioredis goes on after some of it. */
  firstError(): unknown
}

/** Connects when it is told to. The caller disconnects the client. */
export const openSession = (address: string): Session => {
  const client = new Redis(address, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    // Its own check needs INFO, which a user may not be allowed to run.
    enableReadyCheck: false,
    disableClientInfo: true,
  })
  let first: unknown
  client.on('error', (error) => {
    first ??= error
  })
  return { client, firstError: () => first }
}

/** Connects, logs in, selects the database and waits for one answer. */
export const reach = async ({ client, firstError }: Session, url: URL): Promise<Finding> => {
  const shown = shownAddress(url)
  const fail = (error: unknown) => failed(`${shown}: ${reasonOf(error)}`, MEND_REACH)
  try {
    await client.connect()
    await client.ping()
  } catch (error) {
    return fail(firstError() ?? error)
  }
  return firstError() === undefined ? ok(`${shown} answers`) : fail(firstError())
}
