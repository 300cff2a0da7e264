// Owns which checks belong to an address of a queue: a Redis, or the folder of an embedded queue.
import { attempt, type Check, failed } from '../catalog/doctor-check.js'
import { checkFolder } from '../catalog/doctor-machine.js'
import { kindOfAddress } from './address.js'
import { checkRedis } from './doctor-redis.js'

/** @param address as in HEADSTART_QUEUE. */
export const checkQueue = async (address: string): Promise<Check[]> => {
  const kind = kindOfAddress(address)
  if (kind === 'redis') return checkRedis(address)
  // The address is not repeated: it may hold a password.
  if (kind === 'other')
    return [
      {
        name: 'queue',
        ...failed(
          'the address is neither of Redis nor a folder',
          'Set HEADSTART_QUEUE to redis://host:port or to a folder.',
        ),
      },
    ]
  return [await attempt('queue: folder', `Make ${address} writable.`, () => checkFolder(address))]
}
