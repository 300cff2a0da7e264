// Owns network faults of the tests: a TCP proxy in front of a real server, in this process. Knows no
// protocol; faults of HTTP requests are in http-fault-proxy.ts.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type NetworkFault =
  /** New connections are accepted and closed; open ones are closed when something is sent on them. */
  | { readonly kind: 'drop' }
  /** The same with a reset (RST) instead of an orderly end. */
  | { readonly kind: 'reset' }
  /** Every piece of data comes later, in both directions. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Connections end after so many bytes of answers, counted from when the fault was set. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** Nothing comes through, as in a network that is split; what was held back follows afterwards. */
  | { readonly kind: 'block' }

export interface FaultProxy {
  readonly host: string
  readonly port: number
  /** Connections that are open now. */
  readonly open: number
  /** Connections that were ever made. */
  readonly accepted: number
  /** From now on, on open connections as on new ones; null for none. */
  set(fault: NetworkFault | null): void
  /** Resets every connection that is open now. */
  cut(): void
  close(): Promise<void>
}

interface Target {
  readonly host: string
  readonly port: number
}

interface Connection {
  readonly client: Socket
  readonly server: Socket
  /** Bytes of answers since the fault was set. */
  answered: number
}

const write = (socket: Socket, content: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(content, (error) => (error ? reject(error) : resolve()))
  })

/** Starts a proxy on a free loopback port. */
export const startProxy = async ({ target }: { readonly target: Target }): Promise<FaultProxy> => {
  const connections = new Set<Connection>()
  const waiting = new Set<() => void>()
  let fault: NetworkFault | null = null
  let accepted = 0

  const cut = ({ client, server }: Connection): void => {
    client.resetAndDestroy()
    server.resetAndDestroy()
  }

  const untilUnblocked = async (): Promise<void> => {
    while (fault?.kind === 'block') await new Promise<void>((resolve) => waiting.add(resolve))
  }

  /** @returns what may go on; null when the connection has been ended. */
  const suffer = async (
    connection: Connection,
    chunk: Buffer,
    isAnswer: boolean,
  ): Promise<Buffer | null> => {
    if (fault?.kind === 'delay') await sleep(fault.delayMs)
    await untilUnblocked()
    if (fault?.kind === 'reset') cut(connection)
    if (fault?.kind === 'drop') connection.client.destroy()
    if (fault?.kind === 'reset' || fault?.kind === 'drop') return null
    if (fault?.kind !== 'truncate' || !isAnswer) return chunk
    const left = Math.max(0, fault.bytes - connection.answered)
    connection.answered += chunk.length
    if (chunk.length < left) return chunk
    if (left > 0) await write(connection.client, chunk.subarray(0, left))
    connection.client.destroy()
    return null
  }

  const pump = async (connection: Connection, from: Socket, to: Socket): Promise<void> => {
    for await (const chunk of from) {
      const passed = await suffer(connection, chunk as Buffer, from === connection.server)
      if (passed === null) return
      await write(to, passed)
    }
    await untilUnblocked()
    to.end()
  }

  const accept = async (client: Socket): Promise<void> => {
    accepted += 1
    client.setNoDelay(true)
    client.on('error', () => {})
    if (fault?.kind === 'drop') return void client.destroy()
    if (fault?.kind === 'reset') return void client.resetAndDestroy()
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    server.on('error', () => {})
    const connection: Connection = { client, server, answered: 0 }
    connections.add(connection)
    // A failing direction ends both: so does a server that is not there.
    await Promise.all([pump(connection, client, server), pump(connection, server, client)]).catch(
      () => {},
    )
    client.destroy()
    server.destroy()
    connections.delete(connection)
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => void accept(client))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const set = (next: NetworkFault | null): void => {
    fault = next
    for (const connection of connections) connection.answered = 0
    for (const resume of waiting) resume()
    waiting.clear()
  }
  return {
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    get open() {
      return connections.size
    },
    get accepted() {
      return accepted
    },
    set,
    cut: () => connections.forEach(cut),
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      set({ kind: 'reset' })
      connections.forEach(cut)
      await closed
    },
  }
}
