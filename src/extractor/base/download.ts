// Owns downloading the files of a base: bounded, given up when nothing comes, each redirect asked for.
// Never repeats credentials or a query.
import { assertNotAborted, HeadstartError, messageOf } from '../../errors.js'
import type { Reader, ReadFile } from './reader.js'

/** Whether a URL may be fetched; asked for every redirect, too. */
export type AllowUrl = (url: URL) => boolean

export interface DownloadOptions {
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

/** Reads files beside the one at `from`; a URL of something else is that of a folder with `fallback`. */
export const urlReader = (from: string, fallback: string, options: DownloadOptions): Reader => {
  const modelUrl = parseBaseUrl(from)
  if (!/\.(json|onnx)$/.test(modelUrl.pathname))
    modelUrl.pathname = `${modelUrl.pathname.replace(/\/$/, '')}/${fallback}`
  const name = modelUrl.pathname.slice(modelUrl.pathname.lastIndexOf('/') + 1)
  const read: ReadFile = (path, maxBytes) => {
    const url = new URL(path, modelUrl)
    url.search = modelUrl.search
    return download(url, maxBytes, options)
  }
  return { read, name }
}
