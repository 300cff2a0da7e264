// Owns servers of the tests: real ones, on a socket of their own, beside a store that was filled as
// users fill it. Closed at the end of the file.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import type { Workspace } from '../../src/experiment/workspace.js'
import { type HttpServer, type ServerOptions, startServer } from '../../src/http/server.js'
import type { Service } from '../../src/queue/types.js'

export const TOKEN = 'a-token-of-the-tests'
export const OWNER_TOKEN = 'an-owner-token-of-the-tests'

const away = (): never => {
  throw new HeadstartError('QUEUE_UNAVAILABLE', 'the queue cannot be reached')
}
const awayLater = async (): Promise<never> => away()

/** What there is when the queue cannot be reached: whatever needs no job still works. */
export const queueAway: Service = {
  url: 'redis://127.0.0.1:1',
  enqueueExtraction: awayLater,
  enqueueTraining: awayLater,
  getJob: awayLater,
  listJobs: awayLater,
  attach: away,
  cancelJob: awayLater,
  removeJob: awayLater,
  getRun: awayLater,
  getSweep: awayLater,
  listRuns: awayLater,
  counts: awayLater,
  ping: awayLater,
  close: async () => {},
}

const servers: HttpServer[] = []
afterAll(async () => {
  for (const server of servers) await server.close()
})

export interface TestServer extends HttpServer {
  readonly port: number
  /** What was written to the log. */
  readonly notices: readonly string[]
  fetch(path: string, init?: RequestInit): Promise<Response>
}

export const serve = async (
  workspace: Workspace,
  options: Partial<ServerOptions> = {},
): Promise<TestServer> => {
  const notices: string[] = []
  const server = await startServer({
    service: queueAway,
    workspace,
    host: '127.0.0.1',
    port: 0,
    allowedSources: [],
    onNotice: (message) => notices.push(message),
    ...options,
  })
  servers.push(server)
  return {
    ...server,
    notices,
    port: Number(new URL(server.url).port),
    fetch: (path, init) => fetch(server.url + path, init),
  }
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service says
  readonly body: any
}

/** Asks and reads a JSON answer. */
export const ask = async (
  server: TestServer,
  path: string,
  init?: RequestInit,
): Promise<Answer> => {
  const response = await server.fetch(path, init)
  const { status, headers } = response
  const text = await response.text()
  return {
    status,
    headers,
    type: headers.get('content-type') ?? '',
    body: text === '' ? undefined : JSON.parse(text),
  }
}

/** Asks for exactly this path: `fetch` would resolve its dots. */
export const askPath = (server: TestServer, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { port } = server
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.once('end', () => {
        const headers = new Headers(response.headers as Record<string, string>)
        const type = headers.get('content-type') ?? ''
        const body = text === '' ? undefined : JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, headers, type, body })
      })
    })
    outgoing.once('error', reject).end()
  })

export const jsonBody = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

export const bearer = (token: string): RequestInit => ({
  headers: { authorization: `Bearer ${token}` },
})

/** A form with files in order. */
export const formOf = (files: readonly (readonly [name: string, content: Uint8Array])[]) => {
  const form = new FormData()
  for (const [name, content] of files)
    form.append('file', new Blob([new Uint8Array(content)], { type: 'image/png' }), name)
  return form
}

/** Writes bytes to the socket and reads until the server closes it. */
export const rawRequest = async (
  server: TestServer,
  parts: readonly string[],
  pauseMs = 0,
): Promise<string> => {
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  for (const part of parts) {
    if (socket.destroyed) break
    socket.write(part)
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  await closed
  return answer
}
