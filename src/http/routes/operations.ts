// Owns what operators ask: health, metrics, the OpenAPI document.
import { z } from 'zod'
import { HeadstartError, messageOf } from '../../errors.js'
import { withinTime } from '../../queue/within-time.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'

const tags = ['operations']
const statusSchema = z.strictObject({ status: z.literal('ok') })

/** Any key; whether it is there does not matter. */
const PROBE_KEY = 'names/health'

export const addOperationRoutes = (app: App, context: HttpContext): void => {
  const { service, workspace, limits, workersReady, metrics } = context

  /** What is missing; null when nothing is. Health needs no token: only what can be known is said. */
  const missing = async (what: string, check: () => Promise<unknown>): Promise<string | null> => {
    const late = () => new Error('late')
    try {
      await withinTime(check(), limits.readyTimeoutMs, late)
      return null
    } catch (error) {
      return `${what} ${messageOf(error) === 'late' ? 'does not answer in time' : 'does not answer'}`
    }
  }

  app.route({
    method: 'GET',
    url: '/health/live',
    config: { open: true },
    schema: { tags, summary: 'The process answers', security: [], response: { 200: statusSchema } },
    handler: () => ({ status: 'ok' as const }),
  })

  app.route({
    method: 'GET',
    url: '/health/ready',
    config: { open: true },
    schema: {
      tags,
      summary: 'Store and queue answer, workers are ready',
      security: [],
      response: { 200: statusSchema, ...problemResponses },
    },
    handler: async () => {
      const found = await Promise.all([
        missing('the store', () => workspace.store.head(PROBE_KEY)),
        missing('the queue', () => service.ping()),
        workersReady() ? null : 'the workers are not ready',
      ])
      const details = found.filter((fault) => fault !== null)
      if (details.length > 0)
        throw new HeadstartError('SERVICE_UNAVAILABLE', 'the service is not ready', { details })
      return { status: 'ok' as const }
    },
  })

  app.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      tags,
      summary: 'Figures for Prometheus',
      response: {
        200: { description: 'figures', content: { 'text/plain': { schema: z.string() } } },
        ...problemResponses,
      },
    },
    handler: async (_, reply) => {
      const text = await metrics.text()
      return reply
        .type(metrics.contentType)
        .serializer((body: string) => body)
        .send(text)
    },
  })

  app.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { hide: true },
    handler: () => app.swagger(),
  })
}
