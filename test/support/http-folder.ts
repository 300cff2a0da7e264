// Owns an HTTP server on loopback that serves one folder, and can be told to misbehave.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** Answers a path in its own way; the request is over when it says so. */
export type Answer = (response: ServerResponse) => void

export interface FolderServer {
  readonly url: string
  /** Paths with their queries, in the order they were asked for. */
  readonly asked: readonly string[]
  stop(): Promise<void>
}

export const serveFolder = async (
  folder: string,
  special: Readonly<Record<string, Answer>> = {},
): Promise<FolderServer> => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    asked.push(url.pathname + url.search)
    const answer = special[url.pathname]
    if (answer !== undefined) return answer(response)
    const file = join(folder, url.pathname)
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end('none')
    return createReadStream(file).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
