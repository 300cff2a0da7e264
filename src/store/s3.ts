// Owns the S3 adapter; the only file that knows the AWS SDK. Opened lazily (open.ts).
// Needs conditional writes (If-None-Match, If-Match); refuses objects without a recorded SHA-256.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { HeadstartError } from '../errors.js'
import { SHA256_PATTERN, type Sha256, sha256 } from '../identity/hash.js'
import { assertStoreKey, assertStorePrefix, isStoreKey } from './key.js'
import type { ListedObject, ObjectInfo, Store, StoreKey } from './port.js'
import { assertRange } from './range.js'
import {
  isBeyondEnd,
  isConditionalConflict,
  isMissingObject,
  isPreconditionFailed,
  s3ErrorOf,
  statusOf,
} from './s3-errors.js'

export interface S3StoreOptions {
  readonly bucket: string
  /** Without '/' at either end; '' for the whole bucket. */
  readonly prefix: string
  /** For servers other than AWS: `http(s)://host:port`. */
  readonly endpoint?: string
  /** Default: the SDK's own search; `us-east-1` where an endpoint is given. */
  readonly region?: string
  /** The bucket in the path instead of the host name. Default: where an endpoint is given. */
  readonly forcePathStyle?: boolean
  /** The SDK's CRC checksums; some servers refuse them. Default WHEN_REQUIRED. */
  readonly checksums?: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED'
}

const CONNECTION_TIMEOUT_MS = 5_000
/** Silence on an open connection. */
const SOCKET_TIMEOUT_MS = 30_000
/** Until the answer begins; an upload may also take as long as at the slowest accepted rate. */
const REQUEST_TIMEOUT_MS = 60_000
const SLOWEST_BYTES_PER_MS = 256
const MAX_SOCKETS = 64
/** For each request, by the SDK: network errors, throttling, server errors. */
const MAX_ATTEMPTS = 5
/** For each conditional write that met another one (409). */
const CONFLICT_ATTEMPTS = 10
const CONFLICT_DELAY_MS = 50
/** For each download that broke off after the answer began, which the SDK does not repeat. */
const DOWNLOAD_ATTEMPTS = 3

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

const createClient = (options: S3StoreOptions): S3Client => {
  const region = options.region ?? (options.endpoint === undefined ? undefined : 'us-east-1')
  const checksums = options.checksums ?? 'WHEN_REQUIRED'
  return new S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    retryMode: 'standard',
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  })
}

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
  const client = createClient(options)
  const keyPrefix = prefix === '' ? '' : `${prefix}/`
  let bucketSeen = false

  const at = (key: StoreKey) => ({ Bucket: bucket, Key: keyPrefix + key })

  const asking = async <T>(action: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      const endpoint = options.endpoint ?? 'AWS'
      throw s3ErrorOf(error, { bucket, endpoint, action })
    }
  }

  /** HEAD answers 404 for a missing object and a missing bucket alike: ask once which it is. */
  const assertBucket = async (): Promise<void> => {
    if (bucketSeen) return
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }))
    } catch (error) {
      if (statusOf(error) === 404) {
        throw Object.assign(new Error('no bucket', { cause: error }), { name: 'NoSuchBucket' })
      }
      if (statusOf(error) !== 403) throw error
    }
    bucketSeen = true
  }

  const readHead = async (key: StoreKey) => {
    try {
      return await client.send(new HeadObjectCommand(at(key)))
    } catch (error) {
      if (!isMissingObject(error)) throw error
      await assertBucket()
      return null
    }
  }

  /** One download, whole or a range; the body is always read to its end. */
  const download = async (key: StoreKey, range?: string) => {
    for (let attempt = 1; ; attempt += 1) {
      const request = { ...at(key), ...(range === undefined ? {} : { Range: range }) }
      const answer = await client.send(new GetObjectCommand(request)).catch((error: unknown) => {
        if (isMissingObject(error)) return null
        throw error
      })
      if (answer === null) return null
      try {
        const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
        const content = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        if (content.length === (answer.ContentLength ?? content.length)) {
          return { content, metadata: answer.Metadata }
        }
        throw new Error(`${content.length} of ${answer.ContentLength} bytes arrived`)
      } catch (error) {
        if (attempt === DOWNLOAD_ATTEMPTS) throw error
      }
    }
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
    const requestTimeout = REQUEST_TIMEOUT_MS + content.length / SLOWEST_BYTES_PER_MS
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
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: keyPrefix + start,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
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
          return (await download(key, `bytes=${start}-${start + length - 1}`))?.content ?? null
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
