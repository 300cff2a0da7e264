// Owns the connection to S3 that the store and the sources of datasets share: the client, downloads
// that are repeated when they break off, and whether a bucket is there.
import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  type ListObjectsV2CommandOutput,
  S3Client,
} from '@aws-sdk/client-s3'
import { assertNotAborted } from '../errors.js'
import { isMissingObject, s3ErrorOf, statusOf } from './s3-errors.js'

export interface S3Connection {
  /** For servers other than AWS: `http(s)://host:port`. */
  readonly endpoint?: string
  /** Default: the SDK's own search; `us-east-1` where an endpoint is given. */
  readonly region?: string
  /** The bucket in the path instead of the host name. Default: where an endpoint is given. */
  readonly forcePathStyle?: boolean
  /** The SDK's CRC checksums; some servers refuse them. Default WHEN_REQUIRED. */
  readonly checksums?: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED'
  /** Until the answer begins. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** Silence on an open connection. Default 30,000. */
  readonly socketTimeoutMs?: number
}

const CONNECTION_TIMEOUT_MS = 5_000
const SOCKET_TIMEOUT_MS = 30_000
export const REQUEST_TIMEOUT_MS = 60_000
const MAX_SOCKETS = 64
/** For each request, by the SDK: network errors, throttling, server errors. */
const MAX_ATTEMPTS = 5
/** For each download that broke off after the answer began, which the SDK does not repeat. */
const DOWNLOAD_ATTEMPTS = 3

export const createS3Client = (options: S3Connection): S3Client => {
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
      socketTimeout: options.socketTimeoutMs ?? SOCKET_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  })
}

/** Runs requests; what they throw becomes an error of the catalogue that names bucket and endpoint. */
export const createAsker =
  (bucket: string, { endpoint = 'AWS' }: S3Connection) =>
  async <T>(action: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      assertNotAborted(signal)
      throw s3ErrorOf(error, { bucket, endpoint, action })
    }
  }

/** HEAD answers 404 for a missing object and a missing bucket alike: asks once which it is. */
export const createBucketCheck = (client: S3Client, bucket: string): (() => Promise<void>) => {
  let seen = false
  return async () => {
    if (seen) return
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }))
    } catch (error) {
      if (statusOf(error) === 404) {
        throw Object.assign(new Error('no bucket', { cause: error }), { name: 'NoSuchBucket' })
      }
      if (statusOf(error) !== 403) throw error
    }
    seen = true
  }
}

/** One page of a listing. An answer that was cut off must not pass for an empty one. */
export const listPage = async (
  client: S3Client,
  request: ListObjectsV2CommandInput,
  signal?: AbortSignal,
): Promise<ListObjectsV2CommandOutput> => {
  const options = signal === undefined ? {} : { abortSignal: signal }
  const page = await client.send(new ListObjectsV2Command(request), options)
  if (page.IsTruncated !== undefined) return page
  throw new Error('the server answered with no list')
}

type Answer = Pick<GetObjectCommandOutput, 'ContentLength' | 'ContentRange' | 'ETag' | 'Metadata'>
type Consume<T> = (body: AsyncIterable<Uint8Array>, answer: Answer) => Promise<T>

/** One answer, given to `consume`. The body is read to its end or destroyed: it holds a socket. */
const consumeAnswer = async <T>(
  answer: GetObjectCommandOutput,
  consume: Consume<T>,
  signal: AbortSignal | undefined,
): Promise<{ readonly value: T } | { readonly broken: unknown }> => {
  const source = answer.Body instanceof Readable ? answer.Body : Readable.from([])
  let broken: { readonly error: unknown } | undefined
  const body = async function* (): AsyncGenerator<Uint8Array> {
    let seen = 0
    try {
      for await (const chunk of source) {
        assertNotAborted(signal)
        seen += (chunk as Uint8Array).length
        yield chunk as Uint8Array
      }
      const expected = answer.ContentLength ?? seen
      if (seen !== expected) throw new Error(`${seen} of ${expected} bytes arrived`)
    } catch (error) {
      broken = { error }
      throw error
    }
  }
  try {
    return { value: await consume(body(), answer) }
  } catch (error) {
    if (broken === undefined) throw error
    return { broken: broken.error }
  } finally {
    source.destroy()
  }
}

/**
 * Streams an object, or a range of it, to `consume`; from its start again when it broke off.
 *
 * @returns null when there is no such object.
 */
export const readObject = async <T>(
  client: S3Client,
  request: GetObjectCommandInput,
  consume: Consume<T>,
  signal?: AbortSignal,
): Promise<T | null> => {
  const options = signal === undefined ? {} : { abortSignal: signal }
  for (let attempt = 1; ; attempt += 1) {
    const command = new GetObjectCommand(request)
    const answer = await client.send(command, options).catch((error: unknown) => {
      if (isMissingObject(error)) return null
      throw error
    })
    if (answer === null) return null
    const outcome = await consumeAnswer(answer, consume, signal)
    if ('value' in outcome) return outcome.value
    assertNotAborted(signal)
    if (attempt === DOWNLOAD_ATTEMPTS) throw outcome.broken
  }
}
