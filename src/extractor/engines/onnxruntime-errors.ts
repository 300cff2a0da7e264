// Owns what onnxruntime throws as errors of ours: a code that says who is to blame, a message of
// bounded length.
import { HeadstartError, messageOf } from '../../errors.js'

const MAX_MESSAGE = 400

/** One line without what only its developers can use: file names, line numbers, signatures. */
const bounded = (error: unknown): string => {
  const line = messageOf(error)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(/\/\S*onnxruntime\/\S+:\d+ .*?(?:\)|<lambda\(\)>)(?= )/g, '')
    .trim()
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}...` : line
}

/** onnxruntime does not know an operation, or has no kernel for it. */
const UNKNOWN_OPERATION =
  /No Op registered|not a registered function|Could not find an implementation|NOT_IMPLEMENTED/i
const OUT_OF_MEMORY = /bad_alloc|failed to allocate|out of memory|OUT_OF_MEMORY/i

/** For a graph that cannot be loaded. */
export const loadError = (error: unknown): HeadstartError => {
  if (error instanceof HeadstartError) return error
  const message = bounded(error)
  if (UNKNOWN_OPERATION.test(message))
    return new HeadstartError(
      'BASE_LAYER_UNKNOWN',
      `onnxruntime cannot compute the base: ${message}`,
      {
        cause: error,
      },
    )
  if (OUT_OF_MEMORY.test(message))
    return new HeadstartError('ENGINE_FAILED', `onnxruntime: ${message}`, { cause: error })
  return new HeadstartError('BASE_INVALID', `onnxruntime cannot load the base: ${message}`, {
    cause: error,
  })
}

/** For a graph that loaded and then failed. */
export const runError = (error: unknown): HeadstartError =>
  error instanceof HeadstartError
    ? error
    : new HeadstartError('ENGINE_FAILED', `onnxruntime: ${bounded(error)}`, { cause: error })

/** For a library or a device that is not there. */
export const unavailable = (what: string, error?: unknown): HeadstartError =>
  new HeadstartError(
    'ENGINE_UNAVAILABLE',
    error === undefined ? what : `${what}: ${bounded(error)}`,
    { cause: error },
  )
