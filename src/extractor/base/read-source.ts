// Owns reading a base from a folder, a model.json or an http(s) URL. Every path stays below the
// folder of model.json, every size is bounded, nothing else is read.
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { assertNotAborted, HeadstartError, messageOf } from '../../errors.js'
import type { BaseFormat } from '../spec.js'
import { DOWNLOAD_TIMEOUT_MS, MAX_MODEL_JSON_BYTES, MAX_WEIGHT_BYTES } from './limits.js'
import { parseModelJson } from './model-json.js'

export interface BaseSource {
  readonly format: BaseFormat
  /** The bytes as they were read, by relative path; `model.json` among those of a TF.js model. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** The name under which the topology is kept, whatever it was called. */
export const MODEL_JSON = 'model.json'

type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array>

/** Whether a base is downloaded or read from a disk. */
export const isUrl = (from: string): boolean => /^https?:\/\//i.test(from)

const readBounded = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  // Before it is opened: opening a named pipe waits for a writer.
  const info = await stat(path)
  if (!info.isFile()) throw new Error(`${path} is no file`)
  if (info.size > maxBytes)
    throw new HeadstartError(
      'BASE_TOO_LARGE',
      `${path} has ${info.size} bytes, more than ${maxBytes}`,
    )
  return readFile(path)
}

const folderReader = async (from: string): Promise<{ read: ReadFile; name: string }> => {
  const found = await stat(from).catch((error: unknown) => {
    throw new HeadstartError('INPUT_MISSING', `there is no base at ${from}`, { cause: error })
  })
  const folder = found.isDirectory() ? from : dirname(from)
  const name = found.isDirectory()
    ? MODEL_JSON
    : from.slice(folder === '.' && !from.startsWith('.') ? 0 : folder.length).replace(/^[/\\]/, '')
  const root = await realpath(folder)
  const read: ReadFile = async (path, maxBytes) => {
    const refuse = (what: string) => (error: unknown) => {
      if (error instanceof HeadstartError) throw error
      const code = path === name ? 'BASE_INVALID' : 'BASE_WEIGHTS_INVALID'
      throw new HeadstartError(code, `${join(folder, path)} ${what}`, { cause: error })
    }
    const target = await realpath(join(root, path)).catch(refuse('does not exist'))
    if (!target.startsWith(root.endsWith(sep) ? root : root + sep))
      throw new HeadstartError('BASE_PATH_UNSAFE', `${path} leads out of ${folder}`)
    return readBounded(target, maxBytes).catch(refuse('cannot be read'))
  }
  return { read, name }
}

/** Whether a URL may be fetched; asked for every redirect, too. */
export type AllowUrl = (url: URL) => boolean

interface DownloadOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Undefined: everything may be fetched. */
  readonly allowUrl: AllowUrl | undefined
}

const MAX_REDIRECTS = 5

/** Follows redirects by itself where each address has to be allowed. */
const fetchAllowed = async (
  from: URL,
  signal: AbortSignal,
  allowUrl: AllowUrl | undefined,
): Promise<Response> => {
  if (allowUrl === undefined) return fetch(from, { signal })
  let url = from
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    if (!allowUrl(url))
      throw new HeadstartError('SOURCE_NOT_ALLOWED', `nothing may be fetched from ${url.host}`)
    const response = await fetch(url, { signal, redirect: 'manual' })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) return response
    await response.body?.cancel()
    if (!URL.canParse(location, url.href)) throw new Error('a redirect leads to no URL')
    url = new URL(location, url)
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`)
}

const download = async (
  url: URL,
  maxBytes: number,
  { timeoutMs, signal, allowUrl }: DownloadOptions,
): Promise<Uint8Array> => {
  assertNotAborted(signal)
  const failed = (what: string, cause?: unknown) => {
    // The query may be a signature.
    const safe = url.search === '' ? what : what.replaceAll(url.search, '')
    return new HeadstartError('BASE_DOWNLOAD_FAILED', `${url.origin}${url.pathname}: ${safe}`, {
      cause,
    })
  }
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(failed(`nothing came for ${timeoutMs} ms`)), timeoutMs)
  const onAbort = (): void => abort.abort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const response = await fetchAllowed(url, abort.signal, allowUrl)
    if (!response.ok || response.body === null) throw failed(`HTTP status ${response.status}`)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      timer.refresh()
      bytes += chunk.length
      if (bytes > maxBytes)
        throw new HeadstartError(
          'BASE_TOO_LARGE',
          `${url.pathname} has more than ${maxBytes} bytes`,
        )
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (error) {
    assertNotAborted(signal)
    if (error instanceof HeadstartError) throw error
    throw failed(messageOf(error), error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    // Frees the socket of a body that was not read to its end.
    abort.abort()
  }
}

/** Never repeats the URL: what is wrong with it may be the password in it. */
const parseBaseUrl = (from: string): URL => {
  if (!URL.canParse(from)) throw new HeadstartError('REQUEST_INVALID', 'the base is no valid URL')
  const url = new URL(from)
  if (url.username !== '' || url.password !== '')
    throw new HeadstartError(
      'REQUEST_INVALID',
      `the URL of the base at ${url.host} has credentials: use a URL without them`,
    )
  return url
}

const urlReader = (from: string, options: DownloadOptions): { read: ReadFile; name: string } => {
  const modelUrl = parseBaseUrl(from)
  if (!modelUrl.pathname.endsWith('.json'))
    modelUrl.pathname = `${modelUrl.pathname.replace(/\/$/, '')}/${MODEL_JSON}`
  const name = modelUrl.pathname.slice(modelUrl.pathname.lastIndexOf('/') + 1)
  const read: ReadFile = (path, maxBytes) => {
    const url = new URL(path, modelUrl)
    url.search = modelUrl.search
    return download(url, maxBytes, options)
  }
  return { read, name }
}

/**
 * Reads model.json and every weight file that it names.
 *
 * @param from a folder, the path of a model.json, or an http(s) URL of either.
 * @throws INPUT_MISSING, BASE_INVALID, BASE_WEIGHTS_INVALID, BASE_PATH_UNSAFE, BASE_TOO_LARGE,
 *   BASE_DOWNLOAD_FAILED; REQUEST_INVALID for a URL with credentials; SOURCE_NOT_ALLOWED; INTERRUPTED.
 */
export const readBaseSource = async (
  from: string,
  options: {
    readonly downloadTimeoutMs?: number
    readonly signal?: AbortSignal | undefined
    readonly allowUrl?: AllowUrl | undefined
  } = {},
): Promise<BaseSource> => {
  const { downloadTimeoutMs: timeoutMs = DOWNLOAD_TIMEOUT_MS, signal, allowUrl } = options
  const { read, name } = isUrl(from)
    ? urlReader(from, { timeoutMs, signal, allowUrl })
    : await folderReader(from)
  const modelJson = await read(name, MAX_MODEL_JSON_BYTES)
  const model = parseModelJson(modelJson)
  const files = new Map([[MODEL_JSON, modelJson]])
  let left = MAX_WEIGHT_BYTES
  for (const path of model.groups.flatMap((group) => group.paths)) {
    if (path === MODEL_JSON)
      throw new HeadstartError('BASE_INVALID', `the model names ${MODEL_JSON} as a weight file`)
    assertNotAborted(signal)
    const bytes = await read(path, left)
    left -= bytes.length
    files.set(path, bytes)
  }
  return { format: model.format, files }
}
