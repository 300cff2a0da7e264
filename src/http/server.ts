// Owns the service over HTTP: what it keeps open, listening, and closing in order.
import type { AddressInfo } from 'node:net'
import { HeadstartError, messageOf } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import { createSingleFlight } from '../queue/single-flight.js'
import type { Service } from '../queue/types.js'
import { parseAllowedSources } from './allowed-sources.js'
import { buildApp } from './app.js'
import { isLoopback } from './auth.js'
import type { HttpContext } from './context.js'
import { createEventStreams } from './event-streams.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { createMetrics, type Metrics } from './metrics.js'
import { createModels } from './models.js'
import { createRunLookup } from './run-lookup.js'
import { createLinkSigner } from './signing.js'
import { createSourceGuard } from './sources.js'
import { createMemoryBudget } from './uploads.js'

export interface ServerOptions {
  /** Borrowed; so is the workspace. */
  readonly service: Service
  readonly workspace: Workspace
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Asked of every caller. Undefined: only this machine may call. */
  readonly token?: string | undefined
  /** Of the command line on this machine: it may name local files. */
  readonly ownerToken?: string | undefined
  /** Hosts, and `s3://bucket/prefix`, that callers may name. */
  readonly allowedSources: readonly string[]
  readonly limits?: Partial<Limits> | undefined
  /** Whether jobs would be worked on. Default: not asked. */
  readonly workersReady?: (() => boolean) | undefined
  /** Failures that nobody meant, for the log. */
  readonly onNotice?: ((message: string) => void) | undefined
}

export interface HttpServer {
  /** Where it listens, without '/' at the end. */
  readonly url: string
  /** Takes no more requests, ends event streams, answers what is under way, closes the models. */
  close(): Promise<void>
}

/** Of connections that wait to be accepted: a thousand clients may come at once. */
const BACKLOG = 4_096
/** What is under way then is cut off. */
const CLOSE_TIMEOUT_MS = 20_000

const createContext = (options: ServerOptions): HttpContext => {
  const { service, workspace, token } = options
  const { store, engines } = workspace
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const streams = createEventStreams(service, limits)
  const models = createModels({
    store,
    engines,
    limits,
    onBatch: (samples) => metrics.onBatch(samples),
  })
  const metrics: Metrics = createMetrics({
    service,
    openModels: models.count,
    openStreams: streams.count,
  })
  return {
    service,
    workspace,
    limits,
    streams,
    models,
    metrics,
    sources: createSourceGuard(workspace, parseAllowedSources(options.allowedSources)),
    runs: createRunLookup(store),
    signer: createLinkSigner(token),
    uploads: createMemoryBudget(limits.uploadBytesInMemory),
    once: createSingleFlight(),
    workersReady: options.workersReady ?? (() => true),
  }
}

/** Where this machine reaches it: nobody can connect to "any address" by name. */
const urlOf = ({ address, port, family }: AddressInfo): string => {
  if (address === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (address === '::') return `http://[::1]:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/**
 * Starts the service.
 *
 * @throws CONFIG_INVALID for another address than loopback without a token, for an address that
 *   cannot be listened on, and for an allowed source that is none.
 */
export const startServer = async (options: ServerOptions): Promise<HttpServer> => {
  const { host, port, token, ownerToken, onNotice = () => {} } = options
  if (token === undefined && !isLoopback(host))
    throw new HeadstartError(
      'CONFIG_INVALID',
      `the service listens on ${host} only with a token: set HEADSTART_TOKEN`,
    )
  const context = createContext(options)
  const app = await buildApp({ context, tokens: { token, ownerToken }, onNotice })
  const release = async (): Promise<void> => {
    const cutOff = setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT_MS)
    await app.close()
    clearTimeout(cutOff)
    await context.models.close()
    context.metrics.close()
  }
  try {
    await app.listen({ host, port, backlog: BACKLOG })
  } catch (error) {
    await release()
    const message = `cannot listen on ${host}:${port}: ${messageOf(error)}`
    throw new HeadstartError('CONFIG_INVALID', message, { cause: error })
  }
  return { url: urlOf(app.server.address() as AddressInfo), close: release }
}
