// Owns the choice of the queue: Redis, or an embedded PostgreSQL in a folder. Both run the same BullMQ.
// Refuses what is no queue's address; never shows a password.
import { HeadstartError } from '../errors.js'
import { kindOfAddress } from './address.js'
import type { QueueBackend } from './port.js'

/**
 * Opens the queue at an address.
 *
 * @param url `redis://[user:password@]host:port[/db]`, `rediss://...`, or the folder that holds an
 *   embedded queue (created where it is missing).
 * @throws CONFIG_INVALID, QUEUE_UNAVAILABLE; QUEUE_OWNED when another process owns the folder.
 */
export const openBackend = async (url: string): Promise<QueueBackend> => {
  const kind = kindOfAddress(url)
  if (kind === 'redis') return (await import('./redis.js')).openRedis(url)
  if (kind === 'other')
    throw new HeadstartError('CONFIG_INVALID', 'a queue is redis://host:port or a folder')
  return (await import('./embedded.js')).openEmbedded(url)
}
