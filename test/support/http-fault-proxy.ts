// Owns faults of single HTTP requests in the tests: a proxy in front of a real server (S3), in this
// process. Forwards headers as they are; faults of the network are in fault-proxy.ts.
import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
}

export type HttpFault =
  /** The server does its work; the connection breaks before its answer is passed on. */
  | { readonly kind: 'answer-lost' }
  /** The server never hears of it. */
  | { readonly kind: 'reset' }
  /** The server never hears of it, and an error as S3 writes it is answered. */
  | { readonly kind: 'error'; readonly status: number; readonly code: string }
  /** The head promises the whole body, the connection ends after so many bytes of it. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** The same without an end: nothing more comes. */
  | { readonly kind: 'stall'; readonly bytes: number }
  /** The body is shorter and the head agrees with it, as a broken cache would answer. */
  | { readonly kind: 'shorten'; readonly bytes: number }
  /** The answer comes later. */
  | { readonly kind: 'delay'; readonly delayMs: number }

export const SLOW_DOWN = { kind: 'error', status: 503, code: 'SlowDown' } as const
export const SERVER_ERROR = { kind: 'error', status: 500, code: 'InternalError' } as const
export const WRITE_CONFLICT = {
  kind: 'error',
  status: 409,
  code: 'ConditionalRequestConflict',
} as const

export interface FaultRule {
  readonly fault: HttpFault
  /** Default: every request. */
  readonly when?: (request: SeenRequest) => boolean
  /** To so many requests, then never again. Default 1. */
  readonly times?: number
}

export interface HttpFaultProxy {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  readonly port: number
  /** Every request since the start or the last `clear`, in the order in which they came. */
  readonly requests: readonly SeenRequest[]
  /** Called for every request before anything else is done with it. */
  onRequest: (request: SeenRequest) => void | Promise<void>
  count(when: (request: SeenRequest) => boolean): number
  /** The oldest rule that fits a request is applied to it. */
  add(rule: FaultRule): void
  /** Forgets rules and requests. */
  clear(): void
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

const errorAnswer = (status: number, code: string): Answer => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
  const headers = ['content-type', 'application/xml', 'content-length', String(xml.length)]
  return { status, headers, body: Buffer.from(xml) }
}

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Headers of one connection, which are not passed on to the next one. */
const HOP = /^(connection|keep-alive|expect)$/i
/** Of an answer also those that say how long its body is. */
const FRAMING = /^(connection|keep-alive|content-length|transfer-encoding)$/i

/** @param raw names and values in turns. */
const without = (raw: readonly string[], names: RegExp): string[] =>
  raw.filter((_, i) => !names.test(raw[i - (i % 2)] ?? ''))

const forward = async (
  target: URL,
  agent: Agent,
  message: IncomingMessage,
  content: Buffer,
): Promise<Answer> => {
  const upstream = openRequest({
    agent,
    host: target.hostname,
    port: target.port,
    method: message.method,
    path: message.url,
    headers: without(message.rawHeaders, HOP),
  })
  upstream.end(content)
  const [answer] = (await once(upstream, 'response')) as [IncomingMessage]
  const body = await bodyOf(answer)
  const headers = without(answer.rawHeaders, FRAMING)
  // The length of a HEAD is that of the object.
  const length = message.method === 'HEAD' ? answer.headers['content-length'] : String(body.length)
  if (length !== undefined) headers.push('content-length', length)
  return { status: answer.statusCode ?? 500, headers, body }
}

/** Sends the head as it is and so much of the body; then the connection ends, or nothing comes. */
const sendPart = (
  response: ServerResponse,
  { status, headers, body }: Answer,
  { kind, bytes }: { readonly kind: 'truncate' | 'stall'; readonly bytes: number },
): void => {
  response.writeHead(status, [...headers]).flushHeaders()
  response.write(body.subarray(0, bytes), () => {
    if (kind === 'truncate') response.destroy()
  })
}

const shorten = ({ status, headers, body }: Answer, bytes: number): Answer => {
  const left = body.subarray(0, bytes)
  const length = ['content-length', String(left.length)]
  return { status, headers: [...without(headers, FRAMING), ...length], body: left }
}

/** Starts a proxy on a free loopback port. @param target `http://host:port` of the real server. */
export const startHttpProxy = async (options: {
  readonly target: string
}): Promise<HttpFaultProxy> => {
  const target = new URL(options.target)
  const agent = new Agent({ keepAlive: true })
  const requests: SeenRequest[] = []
  const rules: { readonly rule: FaultRule; left: number }[] = []

  const faultOf = (request: SeenRequest): HttpFault | undefined => {
    const found = rules.find(({ rule, left }) => left > 0 && (rule.when?.(request) ?? true))
    if (found !== undefined) found.left -= 1
    return found?.rule.fault
  }

  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = { method: message.method ?? '', path: message.url ?? '' }
    requests.push(request)
    const fault = faultOf(request)
    await proxy.onRequest(request)
    if (fault?.kind === 'reset') return void message.socket.resetAndDestroy()
    const content = await bodyOf(message)
    const given =
      fault?.kind === 'error'
        ? errorAnswer(fault.status, fault.code)
        : await forward(target, agent, message, content)
    if (fault?.kind === 'answer-lost') return void message.socket.resetAndDestroy()
    if (fault?.kind === 'delay') await sleep(fault.delayMs)
    if (fault?.kind === 'truncate' || fault?.kind === 'stall')
      return sendPart(response, given, fault)
    const { status, headers, body } =
      fault?.kind === 'shorten' ? shorten(given, fault.bytes) : given
    response.writeHead(status, [...headers]).end(message.method === 'HEAD' ? undefined : body)
  }

  const server = createServer((message, response) => {
    // A client that has gone, or a server that does not answer, ends this connection only.
    answer(message, response).catch(() => message.socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy: HttpFaultProxy = {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    requests,
    onRequest: () => {},
    count: (when) => requests.filter(when).length,
    add: (rule) => void rules.push({ rule, left: rule.times ?? 1 }),
    clear: () => {
      rules.length = 0
      requests.length = 0
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
  return proxy
}
