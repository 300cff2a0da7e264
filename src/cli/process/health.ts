// Owns liveness and readiness of a worker process over HTTP. Says nothing else, so it needs no token.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { HeadstartError, messageOf } from '../../errors.js'

export interface HealthServer {
  readonly url: string
  close(): Promise<void>
}

export interface HealthAddress {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/**
 * `GET /health/live` answers 200 while the process answers at all; `GET /health/ready` 200 while it
 * takes jobs, else 503.
 *
 * @throws CONFIG_INVALID when the address cannot be listened on.
 */
export const startHealthServer = async (
  { host, port }: HealthAddress,
  isReady: () => boolean,
): Promise<HealthServer> => {
  const server = createServer(({ url, method }, response) => {
    const answer = (status: number, body: object): void => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
      response.writeHead(status, headers)
      response.end(method === 'HEAD' ? undefined : JSON.stringify(body))
    }
    if (url === '/health/live') return answer(200, { live: true })
    if (url !== '/health/ready') return answer(404, { paths: ['/health/live', '/health/ready'] })
    const ready = isReady()
    return answer(ready ? 200 : 503, { ready })
  })
  try {
    await once(server.listen(port, host), 'listening')
  } catch (error) {
    const message = `cannot listen on ${host}:${port} for health: ${messageOf(error)}`
    throw new HeadstartError('CONFIG_INVALID', message, { cause: error })
  }
  const address = server.address()
  const shownHost = host.includes(':') ? `[${host}]` : host
  const shownPort = typeof address === 'object' ? address?.port : port
  return {
    url: `http://${shownHost}:${shownPort}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
