// Owns requests to a service: its answers through their schemas, its problems as the errors that they
// were. Node's own client, because an enqueued dataset may take longer to index than `fetch` waits.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import {
  assertNotAborted,
  ERROR_CATALOGUE,
  type ErrorCode,
  HeadstartError,
  messageOf,
} from '../errors.js'

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly accept?: string
  readonly signal?: AbortSignal | undefined
}

export interface Transport {
  readonly url: string
  /** @throws what the service says; SERVICE_UNAVAILABLE when there is none; INTERRUPTED. */
  ask<T>(schema: z.ZodType<T>, request: Ask): Promise<T>
  /** The answer as it comes; the caller reads it to its end or destroys it. */
  open(request: Ask): Promise<IncomingMessage>
  close(): void
}

/** Beyond a listing of a hundred thousand runs. */
const MAX_ANSWER_BYTES = 512 * 2 ** 20
/** Tries of a request that was refused because the service was busy. */
const BUSY_ATTEMPTS = 5
const DEFAULT_RETRY_SECONDS = 1
const MAX_RETRY_SECONDS = 30

// Not strict: a later release may say more.
const problemShape = z.object({
  code: z.string(),
  detail: z.string(),
  details: z.array(z.string()).default([]),
})

const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, code)

/** An error of the service; one with a code of a later release keeps its words. */
export const rebuiltError = (
  { code, message, details }: Pick<HeadstartError, 'message' | 'details'> & { code: string },
  fallback: ErrorCode = 'INTERNAL',
): HeadstartError => new HeadstartError(isCode(code) ? code : fallback, message, { details })

const readText = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES)
      throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The error that the service answered with. */
const errorOfAnswer = (status: number, text: string): HeadstartError => {
  const problem = problemShape.safeParse(parseJson(text)).data
  if (problem === undefined)
    return new HeadstartError('SERVICE_UNAVAILABLE', `what answers is no Headstart (${status})`)
  const { code, detail: message, details } = problem
  return rebuiltError({ code, message, details }, status >= 500 ? 'INTERNAL' : 'REQUEST_INVALID')
}

const isBusy = ({ code }: HeadstartError): boolean =>
  code === 'RATE_LIMITED' || code === 'SERVICE_BUSY'

/** Seconds that the service asks to wait. */
const retryAfterOf = ({ headers }: IncomingMessage): number => {
  const seconds = Number(headers['retry-after'] ?? DEFAULT_RETRY_SECONDS)
  return Math.min(Number.isFinite(seconds) ? seconds : DEFAULT_RETRY_SECONDS, MAX_RETRY_SECONDS)
}

/** @throws CONFIG_INVALID for an address that is none. */
export const createTransport = (options: {
  readonly url: string
  readonly token?: string | undefined
}): Transport => {
  const { token } = options
  const url = options.url.replace(/\/+$/, '')
  if (!URL.canParse(url) || !/^https?:\/\//.test(url))
    throw new HeadstartError('CONFIG_INVALID', 'a service is http(s)://host:port')
  const isPlain = url.startsWith('http:')
  const agent = isPlain ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true })
  const start = isPlain ? httpRequest : httpsRequest

  const send = ({ method = 'GET', path, body, accept, signal }: Ask): Promise<IncomingMessage> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      accept: accept ?? 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    }
    return new Promise((resolve, reject) => {
      const outgoing = start(`${url}${path}`, {
        method,
        headers,
        agent,
        ...(signal === undefined ? {} : { signal }),
      })
      outgoing.once('error', reject)
      outgoing.once('response', (response) => {
        // From here on the response tells of a broken connection.
        outgoing.on('error', () => {})
        resolve(response)
      })
      outgoing.end(text)
    })
  }

  const open = async (request: Ask): Promise<IncomingMessage> => {
    for (let attempt = 1; ; attempt += 1) {
      assertNotAborted(request.signal)
      const response = await send(request)
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 300) return response
      const error = errorOfAnswer(status, await readText(response))
      if (!isBusy(error) || attempt === BUSY_ATTEMPTS) throw error
      const options = request.signal === undefined ? {} : { signal: request.signal }
      await sleep(1000 * retryAfterOf(response), undefined, options)
    }
  }

  /** What the connection did is told in our words. */
  const guarded = async <T>({ signal }: Ask, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      assertNotAborted(signal)
      if (error instanceof HeadstartError) throw error
      const message = `no service answers at ${url}: ${messageOf(error)}`
      throw new HeadstartError('SERVICE_UNAVAILABLE', message, { cause: error })
    }
  }

  return {
    url,
    open: (request) => guarded(request, () => open(request)),
    ask: (schema, request) =>
      guarded(request, async () => {
        const text = await readText(await open(request))
        const parsed = schema.safeParse(text === '' ? undefined : parseJson(text))
        if (parsed.success) return parsed.data
        const message = `${url}${request.path.replace(/\?.*/, '')} answers in another form: is it of this version?`
        throw new HeadstartError('SERVICE_UNAVAILABLE', message, { cause: parsed.error })
      }),
    close: () => agent.destroy(),
  }
}
