// Owns SHA-256 of large blocks off the main thread.
import { webcrypto } from 'node:crypto'
import type { Sha256 } from '../identity/hash.js'

/**
 * Several run at once, on the threads of Node's pool. Web Crypto copies its input first: whoever counts
 * memory counts the bytes twice.
 *
 * @param bytes not to be written to until the promise settles.
 */
export const sha256InBackground = async (bytes: Uint8Array): Promise<Sha256> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
