// Owns reading the files of a multipart request into memory: how many, how large, and how much all
// requests together may hold.
// For its types: requests get `parts` and `isMultipart`.
import '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { HeadstartError } from '../errors.js'
import type { Limits } from './limits.js'

export interface Upload {
  readonly name: string
  readonly content: Uint8Array
}

/** Bytes that the uploads of all requests hold. */
export interface MemoryBudget {
  /** @throws SERVICE_BUSY */
  take(bytes: number): void
  giveBack(bytes: number): void
}

export const createMemoryBudget = (maxBytes: number): MemoryBudget => {
  let taken = 0
  return {
    take: (bytes) => {
      if (taken + bytes > maxBytes)
        throw new HeadstartError('SERVICE_BUSY', 'other uploads fill the memory')
      taken += bytes
    },
    giveBack: (bytes) => {
      taken -= bytes
    },
  }
}

const tooLarge = (message: string): HeadstartError => new HeadstartError('BODY_TOO_LARGE', message)

const hasStatus = (error: unknown): boolean =>
  error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500

const collectFiles = async (
  request: FastifyRequest,
  { uploadBytes, maxFiles }: Limits,
  take: (bytes: number) => void,
): Promise<Upload[]> => {
  const uploads: Upload[] = []
  let total = 0
  for await (const part of request.parts()) {
    if (part.type === 'field')
      throw new HeadstartError('REQUEST_INVALID', 'the form takes files, and nothing else')
    const chunks: Buffer[] = []
    for await (const chunk of part.file as AsyncIterable<Buffer>) {
      total += chunk.length
      if (total > uploadBytes) throw tooLarge(`the files have more than ${uploadBytes} bytes`)
      take(chunk.length)
      chunks.push(chunk)
    }
    if (part.file.truncated) throw tooLarge(`the file ${part.filename} is too large`)
    if (uploads.length === maxFiles) throw tooLarge(`more than ${maxFiles} files`)
    uploads.push({ name: part.filename, content: Buffer.concat(chunks) })
  }
  if (uploads.length === 0) throw new HeadstartError('INPUT_MISSING', 'the form holds no file')
  return uploads
}

/** Collects, and tells a broken form from a defect. */
const readForm = async (...given: Parameters<typeof collectFiles>): Promise<Upload[]> => {
  try {
    return await collectFiles(...given)
  } catch (error) {
    // What still comes is let run out: a stalled body would block the next request of the connection.
    const [{ raw }] = given
    raw.unpipe()
    raw.resume()
    // Those that the form parser throws on purpose have a status.
    if (error instanceof HeadstartError || hasStatus(error)) throw error
    throw new HeadstartError('REQUEST_INVALID', 'the form is broken', { cause: error })
  }
}

/**
 * Reads the files of a request and works on them.
 *
 * @throws MEDIA_TYPE, BODY_TOO_LARGE, SERVICE_BUSY, REQUEST_INVALID, INPUT_MISSING.
 */
export const withUploads = async <T>(
  request: FastifyRequest,
  { limits, budget }: { readonly limits: Limits; readonly budget: MemoryBudget },
  work: (uploads: readonly Upload[]) => Promise<T>,
): Promise<T> => {
  if (!request.isMultipart())
    throw new HeadstartError('MEDIA_TYPE', 'send the files as multipart/form-data')
  if (Number(request.headers['content-length'] ?? 0) > limits.uploadBytes + limits.jsonBytes)
    throw tooLarge(`the body has more than ${limits.uploadBytes} bytes`)
  let held = 0
  const take = (bytes: number): void => {
    budget.take(bytes)
    held += bytes
  }
  try {
    return await work(await readForm(request, limits, take))
  } finally {
    budget.giveBack(held)
  }
}
