// Owns reading a base from a folder, a file or an http(s) URL: which files it has. Every path stays
// below its folder, every size is bounded, nothing else is read.
import { assertNotAborted, HeadstartError } from '../../errors.js'
import { externalPathsOf } from '../onnx/external-data.js'
import { parseOnnxModel } from '../onnx/model.js'
import type { BaseFormat } from '../spec.js'
import { type AllowUrl, urlReader } from './download.js'
import { DOWNLOAD_TIMEOUT_MS, MAX_MODEL_JSON_BYTES, MAX_WEIGHT_BYTES } from './limits.js'
import { assertSafePath, parseModelJson } from './model-json.js'
import { MODEL_ONNX } from './onnx-source.js'
import { filesBelow, folderReader } from './read-folder.js'
import type { Reader, ReadFile } from './reader.js'
import { SAVED_MODEL_PB } from './saved-model-source.js'

export type { AllowUrl } from './download.js'

export interface BaseSource {
  readonly format: BaseFormat
  /**
   * The bytes as they were read, by relative path; `model.json` among those of a TF.js model,
   * `model.onnx` among those of an ONNX model, whatever these were called.
   */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** The name under which the topology is kept, whatever it was called. */
export const MODEL_JSON = 'model.json'

/** Whether a base is downloaded or read from a disk. */
export const isUrl = (from: string): boolean => /^https?:\/\//i.test(from)

/** The main file, and the others as long as all together have no more bytes than a base may have. */
const readAll = async (
  [mainName, main]: readonly [string, Uint8Array],
  paths: readonly string[],
  maxBytes: number,
  read: ReadFile,
  signal: AbortSignal | undefined,
): Promise<Map<string, Uint8Array>> => {
  const files = new Map([[mainName, main]])
  let left = maxBytes
  for (const path of paths) {
    if (path === mainName)
      throw new HeadstartError('BASE_INVALID', `the model names ${mainName} as a weight file`)
    assertNotAborted(signal)
    const bytes = await read(path, left)
    left -= bytes.length
    files.set(path, bytes)
  }
  return files
}

type Signal = AbortSignal | undefined

const readTfjs = async ({ read, name }: Reader, signal: Signal): Promise<BaseSource> => {
  const main = await read(name, MAX_MODEL_JSON_BYTES)
  const { format, groups } = parseModelJson(main)
  const paths = groups.flatMap((group) => group.paths)
  return { format, files: await readAll([MODEL_JSON, main], paths, MAX_WEIGHT_BYTES, read, signal) }
}

const readOnnx = async ({ read, name }: Reader, signal: Signal): Promise<BaseSource> => {
  const main = await read(name, MAX_WEIGHT_BYTES)
  const paths = externalPathsOf(parseOnnxModel(main))
  const left = MAX_WEIGHT_BYTES - main.length
  return { format: 'onnx', files: await readAll([MODEL_ONNX, main], paths, left, read, signal) }
}

/** Folders of a SavedModel that are needed to run it. */
const SAVED_MODEL_FOLDERS = ['variables', 'assets']

const readSavedModel = async (
  { read, folder }: Reader & { readonly folder: string },
  signal: Signal,
): Promise<BaseSource> => {
  const main = await read(SAVED_MODEL_PB, MAX_WEIGHT_BYTES)
  const paths: string[] = []
  for (const inner of SAVED_MODEL_FOLDERS) paths.push(...(await filesBelow(folder, inner)))
  for (const path of paths) assertSafePath(path)
  const left = MAX_WEIGHT_BYTES - main.length
  const files = await readAll([SAVED_MODEL_PB, main], paths, left, read, signal)
  return { format: 'saved-model', files }
}

/**
 * Reads all files of a base.
 *
 * @param from a folder with model.json, saved_model.pb or one .onnx file; the path of a model.json or
 *   of an .onnx file; or an http(s) URL of such a file or of a folder with model.json.
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
  if (isUrl(from)) {
    const reader = urlReader(from, MODEL_JSON, { timeoutMs, signal, allowUrl })
    return reader.name.endsWith('.onnx') ? readOnnx(reader, signal) : readTfjs(reader, signal)
  }
  const reader = await folderReader(from, MODEL_JSON)
  if (reader.name.endsWith('.onnx')) return readOnnx(reader, signal)
  return reader.name === SAVED_MODEL_PB ? readSavedModel(reader, signal) : readTfjs(reader, signal)
}
