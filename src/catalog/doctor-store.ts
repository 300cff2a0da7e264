// Owns the checks of a store: what this software relies on, tried with keys of its own under
// doctor/<random>/, which are removed again. Tries nothing more once writing has failed.
import { randomUUID } from 'node:crypto'
import { isHeadstartError } from '../errors.js'
import { sha256 } from '../identity/hash.js'
import type { Store, StoreKey } from '../store/port.js'
import { attempt, type Check, type Finding, failed, ok } from './doctor-check.js'

/** Writers that race for one key. */
const RACERS = 32

const MEND_CONDITIONAL =
  'Use a store that honours conditional writes (AWS S3, SeaweedFS 4.44 or later): here several writers could overwrite each other.'
const MEND_CONSISTENT = 'Use a store that shows at once what was written and removed.'
const MEND_WRITABLE = 'Make the store writable for this user.'

const textOf = (content: string): Uint8Array => new TextEncoder().encode(content)

const isEqual = (one: Uint8Array | null, other: Uint8Array): boolean =>
  one !== null && Buffer.from(one).equals(other)

const checkWrite = async (store: Store, key: StoreKey): Promise<Finding> => {
  const answer = await store.putIfAbsent(key, textOf('headstart doctor'))
  return answer === 'created'
    ? ok('an object was written')
    : failed(`a new key was answered with '${answer}'`, MEND_CONDITIONAL)
}

const checkRead = async (store: Store, key: StoreKey): Promise<Finding> => {
  const content = textOf(`headstart ${key}`)
  await store.putIfAbsent(key, content)
  return isEqual(await store.get(key), content)
    ? ok('what was written is read at once')
    : failed('what was written is not what is read', MEND_CONSISTENT)
}

const checkChecksum = async (store: Store, key: StoreKey): Promise<Finding> => {
  const content = textOf(`headstart ${key}`)
  await store.putIfAbsent(key, content)
  const info = await store.head(key)
  // get compares with what was recorded, and throws when they differ.
  const read = await store.get(key)
  return info?.sha256 === sha256(content) && info.bytes === content.length && isEqual(read, content)
    ? ok('SHA-256 and length are kept with the object')
    : failed(
        'SHA-256 or length of an object are not kept',
        'Use a store that keeps the metadata of objects.',
      )
}

/** Every racer brings content of its own: exactly one may win, and its content must stay. */
const checkRace = async (store: Store, key: StoreKey): Promise<Finding> => {
  const contents = Array.from({ length: RACERS }, (_, i) => textOf(`racer ${i} ${randomUUID()}`))
  const answers = await Promise.all(
    contents.map(async (content) => {
      try {
        return await store.putIfAbsent(key, content)
      } catch (error) {
        if (isHeadstartError(error, 'STORE_CONFLICT')) return 'conflict'
        throw error
      }
    }),
  )
  const winners = contents.filter((_, i) => answers[i] === 'created')
  const [winner] = winners
  if (winner === undefined || winners.length > 1)
    return failed(`${winners.length} of ${RACERS} racing writers won`, MEND_CONDITIONAL)
  return isEqual(await store.get(key), winner)
    ? ok(`one of ${RACERS} racing writers won`)
    : failed('the winner of a race was overwritten', MEND_CONDITIONAL)
}

const checkReplace = async (store: Store, key: StoreKey): Promise<Finding> => {
  const first = await store.replace(key, textOf('first'), null)
  await store.replace(key, textOf('second'), first.version)
  try {
    await store.replace(key, textOf('third'), first.version)
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
    return isEqual(await store.get(key), textOf('second'))
      ? ok('a writer who saw an old version is refused')
      : failed('a replaced object is not what is read', MEND_CONSISTENT)
  }
  return failed('a writer who saw an old version was not refused', MEND_CONDITIONAL)
}

const listKeys = async (store: Store, prefix: string): Promise<StoreKey[]> => {
  const keys: StoreKey[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

const checkList = async (store: Store, prefix: string): Promise<Finding> => {
  const keys = ['a', 'b', 'c'].map((name) => `${prefix}${name}`)
  for (const key of keys) await store.putIfAbsent(key, textOf(key))
  const listed = await listKeys(store, prefix)
  return listed.join() === keys.join()
    ? ok('what was written is listed at once')
    : failed(`${listed.length} of ${keys.length} new objects are listed`, MEND_CONSISTENT)
}

const checkDelete = async (store: Store, prefix: string): Promise<Finding> => {
  for (const key of await listKeys(store, prefix)) await store.delete(key)
  const left = await listKeys(store, prefix)
  return left.length === 0
    ? ok('what was written is removed again')
    : failed(`${left.length} removed objects are still listed`, MEND_CONSISTENT)
}

/** Tries what the port of a store promises. The last check removes what the others wrote. */
export const checkStore = async (store: Store): Promise<Check[]> => {
  const prefix = `doctor/${randomUUID()}/`
  const written = await attempt('store: writable', MEND_WRITABLE, () =>
    checkWrite(store, `${prefix}write`),
  )
  const about = { ...written, seen: `${store.url}: ${written.seen}` }
  if (written.status === 'failed') return [about]
  return [
    about,
    await attempt('store: read after write', MEND_WRITABLE, () =>
      checkRead(store, `${prefix}read`),
    ),
    await attempt('store: checksums', MEND_WRITABLE, () =>
      checkChecksum(store, `${prefix}checksum`),
    ),
    await attempt('store: write once', MEND_WRITABLE, () => checkRace(store, `${prefix}race`)),
    await attempt('store: replace', MEND_WRITABLE, () => checkReplace(store, `${prefix}replace`)),
    await attempt('store: list', MEND_WRITABLE, () => checkList(store, `${prefix}list/`)),
    await attempt('store: delete', MEND_WRITABLE, () => checkDelete(store, prefix)),
  ]
}
