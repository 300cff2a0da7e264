// Owns the S3 adapter of the store. Opened lazily (open.ts).
// Needs conditional writes (If-None-Match, If-Match); refuses objects without a recorded SHA-256.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { HeadstartError } from '../errors.js'
import { SHA256_PATTERN, type Sha256, sha256 } from '../identity/hash.js'
import { collectBytes } from './collect-bytes.js'
import { assertStoreKey, assertStorePrefix, isStoreKey } from './key.js'
import type { ListedObject, ObjectInfo, Store, StoreKey } from './port.js'
import { assertRange } from './range.js'
import {
  createAsker,
  createBucketCheck,
  createS3Client,
  listPage,
  REQUEST_TIMEOUT_MS,
  readObject,
  type S3Connection,
} from './s3-client.js'
import {
  isBeyondEnd,
  isConditionalConflict,
  isMissingObject,
  isPreconditionFailed,
} from './s3-errors.js'
import { assertWholeRange } from './s3-range.js'

export interface S3StoreOptions extends S3Connection {
  readonly bucket: string
  /** Without '/' at either end; '' for the whole bucket. */
  readonly prefix: string
}

/** An upload may take REQUEST_TIMEOUT_MS and as long as at this rate. */
const SLOWEST_BYTES_PER_MS = 256
/** For each conditional write that met another one (409). */
const CONFLICT_ATTEMPTS = 10
const CONFLICT_DELAY_MS = 50

/** Metadata: the content's SHA-256, and which call of `replace` wrote the object. */
const SHA256_FIELD = 'sha256'
const WRITE_FIELD = 'write-id'

interface Condition {
  readonly IfNoneMatch?: '*'
  readonly IfMatch?: string
}

/** The condition does not hold. AWS answers 404 to If-Match when the object is gone. */
const isRefused = (error: unknown, condition: Condition): boolean =>
  isPreconditionFailed(error) || (condition.IfMatch !== undefined && isMissingObject(error))

const corrupt = (key: StoreKey, text: string): HeadstartError =>
  new HeadstartError('STORE_CORRUPT', `${key} ${text}`)

const conflict = (key: StoreKey, text: string): HeadstartError =>
  new HeadstartError('STORE_CONFLICT', `${key} ${text}`)

const recordedSha256 = (key: StoreKey, metadata: Record<string, string> | undefined): Sha256 => {
  const recorded = metadata?.[SHA256_FIELD]
  if (recorded !== undefined && SHA256_PATTERN.test(recorded)) return recorded
  throw corrupt(key, 'has no recorded SHA-256')
}

const assertRecorded = (key: StoreKey, content: Uint8Array, recorded: Sha256): Uint8Array => {
  const actual = sha256(content)
  if (actual === recorded) return content
  throw corrupt(
    key,
    `has SHA-256 ${actual} over ${content.length} bytes, but ${recorded} was recorded`,
  )
}

/**
 * A store in a bucket that exists. Credentials come from the SDK's usual chain (environment,
 * shared files, instance role) and never from the options. Objects have at most 5 GiB.
 */
export const createS3Store = (options: S3StoreOptions): Store => {
  const { bucket, prefix } = options
  const client = createS3Client(options)
  const assertBucket = createBucketCheck(client, bucket)
  const asking = createAsker(bucket, options)
  const keyPrefix = prefix === '' ? '' : `${prefix}/`

  const at = (key: StoreKey) => ({ Bucket: bucket, Key: keyPrefix + key })

  const readHead = async (key: StoreKey) => {
    try {
      return await client.send(new HeadObjectCommand(at(key)))
    } catch (error) {
      if (!isMissingObject(error)) throw error
      await assertBucket()
      return null
    }
  }

  const download = (key: StoreKey) =>
    readObject(client, at(key), async (body, { Metadata }) => ({
      content: await collectBytes(body),
      metadata: Metadata,
    }))

  const downloadRange = (key: StoreKey, start: number, length: number) => {
    const request = { ...at(key), Range: `bytes=${start}-${start + length - 1}` }
    return readObject(client, request, async (body, { ContentRange }) => {
      const content = await collectBytes(body)
      assertWholeRange(ContentRange, { start, length }, content.length)
      return content
    })
  }

  const read = async (key: StoreKey): Promise<Uint8Array | null> => {
    const object = await download(key)
    if (object === null) return null
    return assertRecorded(key, object.content, recordedSha256(key, object.metadata))
  }

  /** @returns the new ETag, or null when the condition does not hold. */
  const write = async (
    key: StoreKey,
    content: Uint8Array,
    condition: Condition,
    metadata: Record<string, string>,
  ): Promise<string | null> => {
    const command = { ...at(key), ...condition, Body: content, Metadata: metadata }
    const leastMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    const requestTimeout = leastMs + content.length / SLOWEST_BYTES_PER_MS
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await client.send(new PutObjectCommand(command), { requestTimeout })
        return answer.ETag ?? ''
      } catch (error) {
        if (isRefused(error, condition)) return null
        if (!isConditionalConflict(error)) throw error
        if (attempt === CONFLICT_ATTEMPTS) throw conflict(key, 'is being changed by others')
      }
      await sleep(CONFLICT_DELAY_MS * attempt * (0.5 + Math.random()))
    }
  }

  /** Records the SHA-256 of an object of equal content that another tool put there without one. */
  const adopt = async (key: StoreKey, content: Uint8Array, etag: string): Promise<'exists'> => {
    const hash = sha256(content)
    const object = await download(key)
    if (object === null || sha256(object.content) !== hash) {
      throw conflict(key, 'exists with other content')
    }
    const written = await write(key, content, { IfMatch: etag }, { [SHA256_FIELD]: hash })
    if (written === null) throw conflict(key, 'was changed by others')
    return 'exists'
  }

  const putIfAbsent = async (key: StoreKey, content: Uint8Array): Promise<'created' | 'exists'> => {
    const hash = sha256(content)
    const etag = await write(key, content, { IfNoneMatch: '*' }, { [SHA256_FIELD]: hash })
    if (etag !== null) return 'created'
    // Somebody's object, or our own of an attempt whose answer was lost: the content decides.
    const found = await readHead(key)
    const recorded = found?.Metadata?.[SHA256_FIELD]
    if (found && recorded === undefined) return adopt(key, content, found.ETag ?? '')
    if (recorded !== hash) throw conflict(key, 'exists with other content')
    if (found?.ContentLength === content.length) return 'exists'
    throw corrupt(key, `has ${found?.ContentLength} bytes instead of ${content.length}`)
  }

  const replace = async (
    key: StoreKey,
    content: Uint8Array,
    seenVersion: string | null,
  ): Promise<ObjectInfo> => {
    const hash = sha256(content)
    const writeId = randomUUID()
    const condition =
      seenVersion === null ? { IfNoneMatch: '*' as const } : { IfMatch: seenVersion }
    const metadata = { [SHA256_FIELD]: hash, [WRITE_FIELD]: writeId }
    let etag = await write(key, content, condition, metadata)
    if (etag === null) {
      // An earlier attempt of this very call may have succeeded, its answer lost. Equal content is
      // not enough: two writers that both count from 1 to 2 have counted one of them only.
      const found = await readHead(key)
      if (found?.Metadata?.[WRITE_FIELD] !== writeId) throw conflict(key, 'was changed by others')
      etag = found.ETag ?? ''
    }
    return { key, bytes: content.length, sha256: hash, version: etag }
  }

  async function* pages(start: string): AsyncGenerator<ListedObject> {
    let token: string | undefined
    do {
      const page = await asking('list objects', () =>
        listPage(client, {
          Bucket: bucket,
          Prefix: keyPrefix + start,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      )
      for (const found of page.Contents ?? []) {
        const key = (found.Key ?? '').slice(keyPrefix.length)
        if (!isStoreKey(key)) continue
        yield { key, bytes: found.Size ?? 0, modifiedMs: found.LastModified?.getTime() ?? 0 }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  return Object.freeze({
    url: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,

    putIfAbsent: async (key: StoreKey, content: Uint8Array) => {
      assertStoreKey(key)
      return asking(`write ${key}`, () => putIfAbsent(key, content))
    },

    replace: async (key: StoreKey, content: Uint8Array, seenVersion: string | null) => {
      assertStoreKey(key)
      return asking(`replace ${key}`, () => replace(key, content, seenVersion))
    },

    get: async (key: StoreKey) => {
      assertStoreKey(key)
      return asking(`read ${key}`, () => read(key))
    },

    getRange: async (key: StoreKey, start: number, length: number) => {
      assertStoreKey(key)
      assertRange(key, start, length)
      return asking(`read ${key}`, async () => {
        if (length === 0) return (await readHead(key)) && new Uint8Array()
        try {
          return await downloadRange(key, start, length)
        } catch (error) {
          if (isBeyondEnd(error)) return new Uint8Array()
          throw error
        }
      })
    },

    head: async (key: StoreKey) => {
      assertStoreKey(key)
      return asking(`look at ${key}`, async () => {
        const found = await readHead(key)
        if (found === null) return null
        const hash = recordedSha256(key, found.Metadata)
        return { key, bytes: found.ContentLength ?? 0, sha256: hash, version: found.ETag ?? '' }
      })
    },

    async *list(start: string) {
      assertStorePrefix(start)
      yield* pages(start)
    },

    delete: async (key: StoreKey) => {
      assertStoreKey(key)
      await asking(`delete ${key}`, () => client.send(new DeleteObjectCommand(at(key))))
    },

    close: async () => {
      client.destroy()
    },
  })
}
