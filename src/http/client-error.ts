// Owns answering connections whose request never became one: too slow, too large, no HTTP. The answer
// is written to the socket by hand, in the same shape as any other failure.
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { HeadstartError } from '../errors.js'
import { PROBLEM_TYPE, problemOf } from './problem.js'

const errorOfCode = (code: string | undefined): HeadstartError => {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HeadstartError('REQUEST_TIMEOUT', 'the request did not arrive in time')
  if (code === 'HPE_HEADER_OVERFLOW')
    return new HeadstartError('HEADERS_TOO_LARGE', 'the headers are too large')
  return new HeadstartError('REQUEST_INVALID', 'this is no HTTP request')
}

export const answerClientError = (
  cause: Error & { readonly code?: string },
  socket: Socket,
): void => {
  if (cause.code === 'ECONNRESET' || socket.destroyed) return
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const error = errorOfCode(cause.code)
  const body = JSON.stringify(problemOf(error, randomUUID()))
  const head = [
    `HTTP/1.1 ${error.httpStatus} ${STATUS_CODES[error.httpStatus]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  // Whoever does not read the answer is not waited for.
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
