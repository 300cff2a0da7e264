// Owns what the routes share: the service, the store, and what the server keeps open.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyTypeProvider,
  RawServerDefault,
} from 'fastify'
import type { z } from 'zod'
import type { Workspace } from '../experiment/workspace.js'
import type { createSingleFlight } from '../queue/single-flight.js'
import type { Service } from '../queue/types.js'
import type { Caller } from './auth.js'
import type { EventStreams } from './event-streams.js'
import type { Limits } from './limits.js'
import type { Metrics } from './metrics.js'
import type { Models } from './models.js'
import type { RunLookup } from './run-lookup.js'
import type { LinkSigner } from './signing.js'
import type { SourceGuard } from './sources.js'
import type { MemoryBudget } from './uploads.js'

/** Requests are typed by their schemas. Answers are checked against theirs when they are sent. */
export interface SchemaTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
  readonly serializer: unknown
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  SchemaTypes
>

export interface HttpContext {
  readonly service: Service
  readonly workspace: Workspace
  readonly limits: Limits
  readonly sources: SourceGuard
  readonly models: Models
  readonly runs: RunLookup
  readonly signer: LinkSigner
  readonly streams: EventStreams
  readonly metrics: Metrics
  readonly uploads: MemoryBudget
  /** Of requests: equal ones that come together share the work. */
  readonly once: ReturnType<typeof createSingleFlight>
  readonly workersReady: () => boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent it; set before any route sees the request. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** Answers without a token. */
    readonly open?: boolean
  }
}

/** Fires when the client is gone or was answered, be it that the answer took too long. */
export const signalOf = (reply: FastifyReply): AbortSignal => {
  // Not `request.signal`: that one fires as soon as a body has been read.
  const done = new AbortController()
  reply.raw.once('close', () => done.abort())
  return done.signal
}
