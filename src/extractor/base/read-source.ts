// Owns reading a base from a folder, a model.json or an http(s) URL. Every path stays below the
// folder of model.json, every size is bounded, nothing else is read.
import { open, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { HeadstartError, messageOf } from '../../errors.js'
import { DOWNLOAD_TIMEOUT_MS, MAX_MODEL_JSON_BYTES, MAX_WEIGHT_BYTES } from './limits.js'
import { type ModelJson, parseModelJson } from './model-json.js'

export interface BaseSource {
  readonly model: ModelJson
  /** The bytes as they were read, by relative path; `model.json` among them. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

export const MODEL_JSON = 'model.json'

type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array>

const isUrl = (from: string): boolean => /^https?:\/\//i.test(from)

const readBounded = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size > maxBytes)
      throw new HeadstartError('BASE_TOO_LARGE', `${path} has ${size} bytes, more than ${maxBytes}`)
    return await file.readFile()
  } finally {
    await file.close()
  }
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
    const target = await realpath(join(root, path)).catch((error: unknown) => {
      const code = path === name ? 'BASE_INVALID' : 'BASE_WEIGHTS_INVALID'
      throw new HeadstartError(code, `${join(folder, path)} does not exist`, { cause: error })
    })
    if (!target.startsWith(root.endsWith(sep) ? root : root + sep))
      throw new HeadstartError('BASE_PATH_UNSAFE', `${path} leads out of ${folder}`)
    return readBounded(target, maxBytes)
  }
  return { read, name }
}

const download = async (url: URL, maxBytes: number): Promise<Uint8Array> => {
  const failed = (what: string, cause?: unknown) =>
    new HeadstartError('BASE_DOWNLOAD_FAILED', `${url.origin}${url.pathname}: ${what}`, { cause })
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) })
    if (!response.ok || response.body === null) throw failed(`HTTP status ${response.status}`)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body) {
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
    if (error instanceof HeadstartError) throw error
    throw failed(messageOf(error), error)
  }
}

const urlReader = (from: string): { read: ReadFile; name: string } => {
  const modelUrl = new URL(from)
  if (!modelUrl.pathname.endsWith('.json'))
    modelUrl.pathname = `${modelUrl.pathname.replace(/\/$/, '')}/${MODEL_JSON}`
  const name = modelUrl.pathname.slice(modelUrl.pathname.lastIndexOf('/') + 1)
  const read: ReadFile = (path, maxBytes) => {
    const url = new URL(path, modelUrl)
    url.search = modelUrl.search
    return download(url, maxBytes)
  }
  return { read, name }
}

/**
 * Reads model.json and every weight file that it names.
 *
 * @param from a folder, the path of a model.json, or an http(s) URL of either.
 * @throws INPUT_MISSING, BASE_INVALID, BASE_WEIGHTS_INVALID, BASE_PATH_UNSAFE, BASE_TOO_LARGE,
 *   BASE_DOWNLOAD_FAILED.
 */
export const readBaseSource = async (from: string): Promise<BaseSource> => {
  const { read, name } = isUrl(from) ? urlReader(from) : await folderReader(from)
  const modelJson = await read(name, MAX_MODEL_JSON_BYTES)
  const model = parseModelJson(modelJson)
  const files = new Map([[MODEL_JSON, modelJson]])
  let left = MAX_WEIGHT_BYTES
  for (const path of model.groups.flatMap((group) => group.paths)) {
    const bytes = await read(path, left)
    left -= bytes.length
    files.set(path, bytes)
  }
  return { model, files }
}
