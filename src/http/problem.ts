// Owns what a failure looks like over HTTP: RFC 9457 problem documents with the catalogue's code.
// What was not thrown on purpose never leaves: no message, no stack.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ERROR_CATALOGUE, type ErrorCode, HeadstartError } from '../errors.js'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

export const problemSchema = z
  .strictObject({
    type: z.string().describe('urn:headstart:error:<code>'),
    title: z.string().describe('what happened, in general'),
    status: z.int(),
    detail: z.string().describe('what happened here'),
    instance: z.string().describe('urn:uuid:<id of the request>, as in the header x-request-id'),
    code: z.string().describe('stable; docs/errors.md lists all'),
    details: z.array(z.string()).describe('single faults'),
    remedy: z.string().describe('what can be done about it'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' })
export type Problem = z.output<typeof problemSchema>

/** Documented for every route: any of them may answer so. */
export const problemResponses = {
  default: {
    description: 'a problem document (RFC 9457)',
    content: { 'application/problem+json': { schema: problemSchema } },
  },
} as const

/** Seconds after which a client should try again. */
const RETRY_AFTER_SECONDS = 1

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'REQUEST_INVALID',
  404: 'ROUTE_UNKNOWN',
  405: 'METHOD_NOT_ALLOWED',
  406: 'MEDIA_TYPE',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  414: 'URL_TOO_LONG',
  415: 'MEDIA_TYPE',
  429: 'RATE_LIMITED',
  431: 'HEADERS_TOO_LARGE',
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('FST_')

/** What was thrown, in the words of the catalogue. */
export const errorOf = (error: unknown): HeadstartError => {
  if (error instanceof HeadstartError) return error
  if (isFastifyError(error)) {
    if (error.code === 'FST_ERR_HANDLER_TIMEOUT')
      return new HeadstartError('DEADLINE_EXCEEDED', 'the answer took too long', { cause: error })
    const code = CODE_OF_STATUS[error.statusCode ?? 500]
    // Messages of the framework about a request hold nothing of this machine.
    if (code !== undefined) return new HeadstartError(code, error.message, { cause: error })
  }
  // The JSON parser throws plain errors with a status.
  if (error instanceof SyntaxError && 'statusCode' in error && error.statusCode === 400)
    return new HeadstartError('REQUEST_INVALID', 'the body is no JSON that can be taken', {
      cause: error,
    })
  return new HeadstartError('INTERNAL', 'an unexpected failure; the log of the service has it', {
    cause: error,
  })
}

export const problemOf = (error: HeadstartError, requestId: string): Problem => ({
  type: `urn:headstart:error:${error.code}`,
  title: ERROR_CATALOGUE[error.code].cause,
  status: error.httpStatus,
  detail: error.message,
  instance: `urn:uuid:${requestId}`,
  code: error.code,
  details: [...error.details],
  remedy: error.remedy,
})

/** Sends a failure. The text is made here, so that no response schema can get in its way. */
export const sendProblem = (
  request: FastifyRequest,
  reply: FastifyReply,
  error: HeadstartError,
): FastifyReply => {
  const { httpStatus, code } = error
  if (code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer')
  if ((httpStatus === 429 || httpStatus === 503) && !reply.hasHeader('retry-after'))
    reply.header('retry-after', RETRY_AFTER_SECONDS)
  return reply
    .code(httpStatus)
    .type(PROBLEM_TYPE)
    .serializer((text: string) => text)
    .send(JSON.stringify(problemOf(error, request.id)))
}
